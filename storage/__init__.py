"""Everything that speaks SQL. One module a table group; nothing here decides about the business."""
