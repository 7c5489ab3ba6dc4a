"""The teach dialog: from good batteries of the open lot to a model that is used."""
