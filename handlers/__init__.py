"""Where calls come in: HTTP routes, Slack listeners, ticks. Each parses, calls one service, replies."""
