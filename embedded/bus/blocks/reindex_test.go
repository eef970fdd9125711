package blocks_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/bus/blocks"
)

// newLog is the real server with a stream as the bus has them: one subject, nothing deleted but from its front.
func newLog(t testing.TB, messages int) *peer {
	p := &peer{t: t, dir: t.TempDir()}
	p.start()
	if _, err := p.js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	p.publish(0, messages)
	return p
}

func (p *peer) publish(from, to int) {
	p.t.Helper()
	for n := from; n < to; n++ {
		if _, err := p.js.Publish(context.Background(), "s", bytes.Repeat([]byte{byte(n)}, 700_000+n)); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *peer) stream1() jetstream.Stream {
	p.t.Helper()
	st, err := p.js.Stream(context.Background(), "S")
	if err != nil {
		p.t.Fatal(err)
	}
	return st
}

func (p *peer) held() map[uint64]string {
	p.t.Helper()
	st := p.stream1()
	out := map[uint64]string{}
	info, err := st.Info(context.Background())
	if err != nil {
		p.t.Fatal(err)
	}
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		if m, err := st.GetMsg(context.Background(), seq); err == nil {
			out[seq] = m.Subject + string(m.Data)
		}
	}
	return out
}

func (p *peer) seals() map[int]blocks.Seal {
	p.t.Helper()
	sealed, _, _, err := p.folder().Seal(0)
	if err != nil {
		p.t.Fatal(err)
	}
	return sealed
}

// TestTheIndexIsWrittenAsTheServerWritesIt: byte for byte as at a clean stop, from the files and from their seals.
func TestTheIndexIsWrittenAsTheServerWritesIt(t *testing.T) {
	p := newLog(t, 24)
	seals := p.seals()
	if len(seals) < 2 {
		t.Fatalf("%d files are sealed", len(seals))
	}
	p.stop()
	f := p.folder()
	index := filepath.Join(f.Path, "msgs/index.db")
	want, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	for name, known := range map[string]map[int]blocks.Seal{"files": nil, "seals": seals} {
		if err := os.Remove(index); err != nil {
			t.Fatal(err)
		}
		if damage, stale, err := f.Check(known); err != nil || !stale || damage != nil {
			t.Fatalf("by %s: found %v, stale %v, %v", name, damage, stale, err)
		}
		if got, err := os.ReadFile(index); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("by %s: the index is %x, want %x: %v", name, got, want, err)
		}
	}
}

// TestAfterACrashTheServerHasWhatItHad: with seals of some time ago, whatever was appended, purged or torn since.
func TestAfterACrashTheServerHasWhatItHad(t *testing.T) {
	for name, then := range map[string]func(p *peer){
		"nothing":       func(*peer) {},
		"more messages": func(p *peer) { p.publish(24, 36) },
		"a purge": func(p *peer) {
			if err := p.stream1().Purge(context.Background(), jetstream.WithPurgeSequence(15)); err != nil {
				p.t.Fatal(err)
			}
		},
		"a purge and more": func(p *peer) {
			if err := p.stream1().Purge(context.Background(), jetstream.WithPurgeSequence(8)); err != nil {
				p.t.Fatal(err)
			}
			p.publish(24, 28)
		},
		"a purge within the newest file": func(p *peer) {
			if err := p.stream1().Purge(context.Background(), jetstream.WithPurgeSequence(24)); err != nil {
				p.t.Fatal(err)
			}
		},
	} {
		for _, torn := range []int{0, 300_000} {
			t.Run(fmt.Sprint(name, ", torn by ", torn), func(t *testing.T) {
				p := newLog(t, 24)
				seals := p.seals()
				then(p)
				maps.Copy(seals, p.seals()) // those of purged files stay
				want := p.held()
				crashed := &peer{t: t, dir: t.TempDir()}
				if err := os.CopyFS(crashed.dir, os.DirFS(p.dir)); err != nil {
					t.Fatal(err)
				}
				p.stop()
				f := crashed.folder()
				files, err := filepath.Glob(filepath.Join(f.Path, "msgs/*.blk"))
				if err != nil {
					t.Fatal(err)
				}
				if torn > 0 { // an append that was cut short, to nobody acknowledged
					newest := files[0]
					for _, file := range files {
						if len(file) > len(newest) || len(file) == len(newest) && file > newest {
							newest = file
						}
					}
					buf, err := os.ReadFile(newest)
					if err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(newest, append(buf, buf[:torn]...), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if damage, _, err := f.Check(seals); err != nil || damage != nil {
					t.Fatalf("found %v, %v", damage, err)
				}
				if held, err := f.Indexed(); !held || err != nil {
					t.Fatalf("the server will read all files: %v", err)
				}
				crashed.start()
				defer crashed.stop()
				if got := crashed.held(); !maps.Equal(got, want) {
					t.Fatalf("the server has %d messages, had %d", len(got), len(want))
				}
				if len(want) > 1 {
					crashed.publish(1, 2)
				}
			})
		}
	}
}

// TestASealDoesNotHideAnotherFile: one that was written anew, or is shorter than it was, is read.
func TestASealDoesNotHideAnotherFile(t *testing.T) {
	p := newLog(t, 24)
	seals := p.seals()
	want := p.held()
	crashed := &peer{t: t, dir: t.TempDir()}
	if err := os.CopyFS(crashed.dir, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	p.stop()
	f := crashed.folder()
	path := f.File(2)
	buf, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut := buf[:len(buf)-100]
	if err := os.WriteFile(path, cut, 0o600); err != nil {
		t.Fatal(err)
	}
	damage, _, err := f.Check(seals)
	if err != nil || len(damage) != 1 || damage[0].First != seals[2].Last || damage[0].First != damage[0].Last {
		t.Fatalf("found %+v, %v", damage, err)
	}
	delete(want, damage[0].First)
	crashed.start()
	defer crashed.stop()
	if got := crashed.held(); !maps.Equal(got, want) {
		t.Fatalf("the server has %d messages, want %d", len(got), len(want))
	}
}
