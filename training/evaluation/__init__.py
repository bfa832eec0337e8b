"""What a version can do, and whether it may be promoted: metrics, behaviour tests, drift, the gate."""
