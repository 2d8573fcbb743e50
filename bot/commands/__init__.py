"""The commands of the command line, one module a group; `bot.cli` names them and imports each when it is called."""
