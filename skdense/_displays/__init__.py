"""Pictures of trainings and of errors, drawn with matplotlib."""
