"""Things people see, pure: Block Kit from plain view models; no client, no database, no clock."""
