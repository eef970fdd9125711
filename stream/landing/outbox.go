package landing

import (
	"context"

	"tarn/stream/own"
)

// deadLetters appends letters to tarn.dead_letter before the offset of their topic moves.
func (l *Landing) deadLetters(ctx context.Context, w *way, letters []own.Letter) error {
	if len(letters) == 0 {
		return nil
	}
	for _, d := range letters {
		w.progress.finding("records go to system.dead_letter: " + d.Why)
	}
	w.log.Warn("records go to the dead letters", "records", len(letters),
		"partition", letters[0].Partition, "offset", letters[0].Record.Offset, "error", letters[0].Why)
	return l.own.Letters(ctx, w.key.topic, w.key.reader, "landing in "+w.key.reader, w.config.ID, letters, l.o.Clock.Now())
}
