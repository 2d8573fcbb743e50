"""The use cases, one a file. Plain synchronous Python over one transaction; `deliver` alone is asynchronous."""
