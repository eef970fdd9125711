package blocks

// Scan returns the sequences of the whole messages of a file, and how many holes are between them.
func (f Folder) Scan(n int, buf []byte) (messages []uint64, holes int) {
	all, h := f.summer(n).scan(buf, 0)
	for _, e := range all {
		if !e.tombstone && !e.erased {
			messages = append(messages, e.seq)
		}
	}
	return messages, len(h)
}

// Indexed tells whether the server will go by its index.
func (f Folder) Indexed() (bool, error) {
	files, err := f.files()
	if err != nil {
		return false, err
	}
	return f.indexHolds(files)
}
