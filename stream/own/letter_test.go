package own_test

import (
	"context"
	"testing"
	"time"

	"tarn/embedded/record"
	"tarn/stream/own"
)

// TestLettersHaveConnectsHeaders: those of records and those of a source's finds say where they came from in Kafka Connect's names.
func TestLettersHaveConnectsHeaders(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	topics, _ := ownTopics(t)
	letters := []own.Letter{{Partition: 3, Record: &record.Record{Offset: 17, Value: []byte("x")}, Why: "no JSON object"}}
	if err := topics.Letters(ctx, "gate", "bronze", "landing in bronze", "i", letters, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := topics.Found(ctx, "gate", "id", "port", "i", []own.Find{{Place: "1", Where: []byte("a.log:1"), Value: []byte("y"), Why: "too long"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	p := topics[own.DeadLetter].Partition
	r := p.ReaderOfAll(0)
	defer r.Close()
	var got []record.Record
	for len(got) < 2 {
		read, err := r.Next(ctx, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range read.Batches {
			records, err := b.Records()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, records...)
		}
	}
	for i, want := range []map[string]string{
		{"topic": "gate", "partition": "3", "offset": "17", "connector.name": "landing in bronze", "stage": "VALUE_CONVERTER", "exception.message": "no JSON object"},
		{"topic": "gate", "partition": "", "offset": "", "connector.name": "port", "stage": "TASK_POLL", "exception.message": "too long"},
	} {
		for name, value := range want {
			if text, _ := got[i].Header("__connect.errors." + name); string(text) != value {
				t.Errorf("letter %d: %s is %q, want %q", i, name, text, value)
			}
		}
		if _, ok := got[i].Header(record.HeaderPos); !ok {
			t.Errorf("letter %d has no place", i)
		}
	}
}

// TestTopicsOfASourceHaveTheirOwnPlaces: a find in one topic is kept, though the source has found more in another; again it is left out.
func TestTopicsOfASourceHaveTheirOwnPlaces(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	topics, _ := ownTopics(t)
	for range 2 {
		for topic, place := range map[string]string{"p.public.a": "2", "p.public.b": "1"} {
			if err := topics.Found(ctx, topic, "id", "port", "i", []own.Find{{Place: place, Why: "bad"}}, time.UnixMilli(1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := topics[own.DeadLetter].Partition.Next(); got != 2 {
		t.Errorf("%d letters are there, want 2", got)
	}
}
