"""Why answers are wrong: one file of wrong rules a family; the next wrong rule goes here."""
