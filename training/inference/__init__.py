"""Answer queries with a model version, without torch. Used by the bot and by the replicas on a cluster."""
