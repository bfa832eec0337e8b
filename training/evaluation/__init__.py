"""Evaluate versions, and decide on promotion: metrics, behaviour tests, drift, the gate."""
