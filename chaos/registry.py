"""All experiments, in the order in which they run. What is not here: the experiments."""

from __future__ import annotations

from chaos import (
    backups,
    clicks,
    copies,
    corruptions,
    databases,
    deadman,
    disk,
    erasing,
    fsyncs,
    house,
    http_clicks,
    imports,
    intake,
    jumps,
    kill_demo,
    kills,
    migrations,
    offsets,
    outage,
    receiver,
    sends,
    slow,
    soak,
    sockets,
    terms,
    timely,
    timers,
    weather,
    workers,
)
from chaos.experiment import Experiment

#: One line a module, in alphabetical order of the modules.
EXPERIMENTS: tuple[Experiment, ...] = (
    *backups.EXPERIMENTS,
    *clicks.EXPERIMENTS,
    *copies.EXPERIMENTS,
    *corruptions.EXPERIMENTS,
    *databases.EXPERIMENTS,
    *deadman.EXPERIMENTS,
    *disk.EXPERIMENTS,
    *erasing.EXPERIMENTS,
    *fsyncs.EXPERIMENTS,
    *house.EXPERIMENTS,
    *http_clicks.EXPERIMENTS,
    *imports.EXPERIMENTS,
    *intake.EXPERIMENTS,
    *jumps.EXPERIMENTS,
    *kill_demo.EXPERIMENTS,
    *kills.EXPERIMENTS,
    *migrations.EXPERIMENTS,
    *offsets.EXPERIMENTS,
    *outage.EXPERIMENTS,
    *receiver.EXPERIMENTS,
    *sends.EXPERIMENTS,
    *slow.EXPERIMENTS,
    *soak.EXPERIMENTS,
    *sockets.EXPERIMENTS,
    *terms.EXPERIMENTS,
    *timely.EXPERIMENTS,
    *timers.EXPERIMENTS,
    *weather.EXPERIMENTS,
    *workers.EXPERIMENTS,
)


def find(name: str) -> Experiment | None:
    """The experiment of that name."""
    return next((each for each in EXPERIMENTS if each.name == name), None)
