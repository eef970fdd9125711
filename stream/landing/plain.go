package landing

func newPlainSink(w *way) sink { return newBronzeSink(w) }
