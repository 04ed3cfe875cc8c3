"""What was decoded or found out, kept in memory or between runs."""
