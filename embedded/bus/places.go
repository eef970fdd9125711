package bus

import (
	"bytes"
	"fmt"
	"strings"

	"tarn/embedded/record"
)

// places is the last place of each source in a partition.
type places map[string]record.Pos

// passage is a source's first and last place in one append.
type passage struct{ first, last record.Pos }

// note takes over the last place of an append or message. Within one incarnation a
// place never goes back.
func (p places) note(pos record.Pos) {
	if old, ok := p[pos.Source]; ok && old.Incarnation == pos.Incarnation && !pos.After(old) {
		return
	}
	p[pos.Source] = pos
}

var posMarker = []byte(record.HeaderPos)

// passages reads which places the batches carry. Batches of topics that a source
// fills are all read; of other topics only those that hold the header's name in
// plain, for Tarn's own writers do not compress.
func passages(batches []record.Batch, source bool) (map[string]passage, error) {
	out := map[string]passage{}
	var first, last, of []byte // of a run of records of one source
	end := func() error {
		if last == nil {
			return nil
		}
		from, err := record.ParsePos(string(first))
		if err != nil {
			return err
		}
		to, err := record.ParsePos(string(last))
		if was, ok := out[to.Source]; ok {
			from = was.first
		}
		out[to.Source] = passage{from, to}
		return err
	}
	note := func(pos []byte) error {
		source, ok := record.SourceOf(pos)
		if !ok {
			_, err := record.ParsePos(string(pos))
			return err
		}
		if last == nil || !bytes.Equal(source, of) {
			if err := end(); err != nil {
				return err
			}
			first, of = pos, source
		}
		last = pos
		return nil
	}
	for _, b := range batches {
		if err := placesOf(b, source, note); err != nil {
			return nil, err
		}
	}
	return out, end()
}

func placesOf(b record.Batch, source bool, note func([]byte) error) error {
	if b.Control() {
		mark, ok, err := b.Mark()
		if err != nil || !ok || mark.Pos == "" {
			return err
		}
		return note([]byte(mark.Pos))
	}
	if !source && (b.Codec() != 0 || !bytes.Contains(b, posMarker)) {
		return nil
	}
	return b.EachHeader(record.HeaderPos, note)
}

// text renders the places as tables and checkpoints keep them: source -> incarnation/place.
func (p places) text() map[string]string {
	out := make(map[string]string, len(p))
	for source, pos := range p {
		out[source] = pos.Incarnation + "/" + pos.Place
	}
	return out
}

func parsePlaces(text map[string]string) (places, error) {
	out := places{}
	for source, rest := range text {
		incarnation, place, ok := strings.Cut(rest, "/")
		if !ok || place == "" {
			return nil, fmt.Errorf("read place %q of source %s: want incarnation/place", rest, source)
		}
		out[source] = record.Pos{Source: source, Incarnation: incarnation, Place: place}
	}
	return out, nil
}
