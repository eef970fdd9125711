package blocks

import "os"

// Forget syncs a stream's files and drops what the system remembers of them, so that they
// are read from the disk: after a sync that failed, memory holds as clean what the disk does
// not have. No error is told, for what is read afterwards is what counts.
func (f Folder) Forget() {
	files, err := f.files()
	if err != nil {
		return
	}
	for _, n := range files {
		file, err := os.Open(f.File(n))
		if err != nil {
			continue
		}
		_ = file.Sync()
		forget(file)
		_ = file.Close()
	}
}
