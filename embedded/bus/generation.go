package bus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/meta"
)

// generation is a stream that holds, or will hold, a partition's log. Compaction writes the next one.
type generation struct {
	number          int64
	stream, subject string
}

func (p *Partition) generation(number int64) *generation {
	g := &generation{number, streamName(p.topic.name, p.number), "log." + p.topic.Config().ID + "." + strconv.Itoa(int(p.number))}
	if number > 0 {
		suffix := strconv.FormatInt(number, 10)
		g.stream, g.subject = g.stream+"@"+suffix, g.subject+".g"+suffix
	}
	return g
}

// stream and subject are those of the generation in force.
func (p *Partition) stream() string  { return p.gen.Load().stream }
func (p *Partition) subject() string { return p.gen.Load().subject }

// generationOf reads a stream's name: streamName, and behind another @ the generation, if it is not the first.
func generationOf(stream string) (base string, number int64) {
	parts := strings.Split(stream, "@")
	if len(parts) != 3 {
		return stream, 0
	}
	number, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return stream, 0
	}
	return parts[0] + "@" + parts[1], number
}

// chooseGenerations finds of each partition the stream that is in force, and removes the others: an older one, and one
// that was not finished. Meta knows which; but an older one that goes further has what the disk lost of it. Where meta
// does not know, it is the one that goes furthest, and of two that go as far the older, which is whole. Folders count
// that the server was not given, or whose description was damaged: the stream is made anew upon them. admin is held.
func (b *Bus) chooseGenerations(ctx context.Context, known map[string]keptTopic) error {
	found := map[string][]int64{} // by stream of the first generation
	note := func(stream string) {
		base, number := generationOf(stream)
		if !slices.Contains(found[base], number) {
			found[base] = append(found[base], number)
		}
	}
	s := b.current
	names := s.api.StreamNames(ctx)
	for name := range names.Name() {
		note(name)
	}
	if err := names.Err(); err != nil {
		return fmt.Errorf("list the log's streams: %w", err)
	}
	folders, err := os.ReadDir(b.o.streams())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list the log's folders: %w", err)
	}
	for _, folder := range folders {
		if folder.IsDir() && !strings.HasPrefix(folder.Name(), ".") {
			note(folder.Name())
		}
	}
	for topic, t := range known {
		for n := range t.Partitions {
			numbers := found[streamName(topic, n)]
			if len(numbers) == 0 || len(numbers) == 1 && numbers[0] == 0 {
				continue
			}
			if err := b.chooseGeneration(ctx, s, topic, n, t.ID, numbers); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Bus) chooseGeneration(ctx context.Context, s *session, topic string, n int32, id string, numbers []int64) error {
	base, label := streamName(topic, n), partitionLabel(topic, n)
	name := func(number int64) string {
		if number == 0 {
			return base
		}
		return base + "@" + strconv.FormatInt(number, 10)
	}
	if len(numbers) == 1 {
		b.generations[label] = numbers[0]
		return nil
	}
	var start trimmed
	if err := b.load(ctx, meta.LogStarts, label, &start); err != nil {
		return err
	}
	slices.Sort(numbers)
	ends := map[int64]int64{} // of those that can be read
	for _, number := range numbers {
		if end, err := s.reach(ctx, name(number)); err == nil {
			ends[number] = end
		}
	}
	best, decided := start.Gen, start.ID == id && slices.Contains(numbers, start.Gen)
	if !decided {
		best = numbers[0]
		for _, number := range numbers {
			if ends[number] > ends[best] {
				best = number
			}
		}
	}
	for _, number := range numbers {
		if end, whole := ends[best]; decided && whole && number < start.Gen && ends[number] > end {
			best = number // what was put in force had not yet its end on the disk
		}
	}
	b.generations[label] = best
	for _, number := range numbers {
		_, readable := ends[number]
		if _, whole := ends[best]; number == best || !whole || !readable && !decided {
			continue // what a folder holds that cannot be read is unknown
		}
		if err := b.deleteStream(ctx, s, name(number)); err != nil {
			b.o.Log.Warn("stream of another generation is not removed", "stream", name(number), "error", err)
		}
	}
	return nil
}

// reach is the offset after a stream's last message that can be read; 0 without one.
func (s *session) reach(ctx context.Context, stream string) (int64, error) {
	info, err := s.info(ctx, stream)
	if err != nil {
		return 0, err
	}
	for seq := info.State.LastSeq; seq >= max(info.State.FirstSeq, 1); seq-- {
		m, err := s.message(ctx, stream, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // damaged
		}
		if err != nil {
			return 0, err
		}
		if span, err := m.span(); err == nil {
			return span.next, nil
		}
	}
	return 0, nil
}
