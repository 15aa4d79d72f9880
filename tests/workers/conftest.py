"""The programs are started as processes, not collected."""

collect_ignore = ["programs"]
