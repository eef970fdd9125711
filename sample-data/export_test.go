package sampledata

// Pass lets steps pass in the book alone: nothing is written, everything is posted.
func (t *Truth) Pass(steps int, faults Faults) {
	t.world.faults = faults
	for range steps {
		t.see(t.world.advance(), true)
	}
}
