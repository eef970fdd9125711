package sampledata

// Pass lets steps pass in the book alone: nothing is written, everything is posted.
func (t *Truth) Pass(steps int, faults Faults) {
	t.world.faults = faults
	for range steps {
		t.see(t.world.advance(), true)
	}
}

// MakeDatabase is the database of a port after steps, without those in between.
func MakeDatabase(path string, steps int, faults Faults) error {
	w, err := found(DefaultSeed)
	if err != nil {
		return err
	}
	w.faults = faults
	for range steps {
		w.advance()
	}
	return makeDatabase(path, w)
}

// YoungTruth is the book of a port on its first morning.
func YoungTruth() (*Truth, error) { return truthAfter(DefaultSeed, 0) }
