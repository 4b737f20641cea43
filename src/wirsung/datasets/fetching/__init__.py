"""Getting the files of a public dataset: download, resume, verify, unpack."""
