"""Teaching: from good batteries of a lot to a model beside the one in use, as a child process."""
