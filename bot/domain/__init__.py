"""The rules of the funnel, pure: no clock, no database, no Slack; `now` is always an argument."""
