package blocks_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/bus/blocks"
	"tarn/embedded/disk"
)

// peer is the real server with one stream.
type peer struct {
	t   testing.TB
	dir string
	ns  *server.Server
	nc  *nats.Conn
	js  jetstream.JetStream
}

func (p *peer) start() {
	p.t.Helper()
	ns, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: p.dir, MaxPayload: 16 << 20})
	if err != nil {
		p.t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(30 * time.Second) {
		p.t.Fatal("the server does not start")
	}
	if p.nc, err = nats.Connect("", nats.InProcessServer(ns)); err != nil {
		p.t.Fatal(err)
	}
	if p.js, err = jetstream.New(p.nc); err != nil {
		p.t.Fatal(err)
	}
	p.ns = ns
}

func (p *peer) stop() {
	p.nc.Close()
	p.ns.Shutdown()
	p.ns.WaitForShutdown()
}

func (p *peer) folder() blocks.Folder {
	return blocks.Folder{Path: filepath.Join(p.dir, "jetstream/$G/streams/S"), Copies: filepath.Join(p.dir, "copies"), Disk: disk.Local}
}

func (p *peer) stream() jetstream.Stream {
	p.t.Helper()
	st, err := p.js.CreateOrUpdateStream(context.Background(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	if err != nil {
		p.t.Fatal(err)
	}
	return st
}

// messages reads what the server has: by sequence.
func (p *peer) messages() map[uint64]string {
	p.t.Helper()
	st := p.stream()
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

func newPeer(t testing.TB) *peer {
	p := &peer{t: t, dir: t.TempDir()}
	p.start()
	st := p.stream()
	for n := range 40 {
		m := &nats.Msg{Subject: fmt.Sprint("s.", n%3), Data: bytes.Repeat([]byte{byte(n)}, 700_000*(n%2)+n)}
		if n%5 > 0 {
			m.Header = nats.Header{"N": {fmt.Sprint(n)}}
		}
		if _, err := p.js.PublishMsg(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		st.Purge(context.Background(), jetstream.WithPurgeSequence(4)), st.DeleteMsg(context.Background(), 20), st.SecureDeleteMsg(context.Background(), 30),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestTheFormatIsTheServers: every message that the server has is found in its files and no
// other, and its index is understood. It fails when a new version of the server writes otherwise.
func TestTheFormatIsTheServers(t *testing.T) {
	p := newPeer(t)
	want := p.messages()
	f := p.folder()
	if held, err := f.Indexed(); held || err != nil {
		t.Fatalf("the server goes by an index that it has not written: %v", err)
	}
	p.stop()
	if held, err := f.Indexed(); !held || err != nil {
		t.Fatalf("the server does not go by its index: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(f.Path, "msgs/*.blk"))
	if err != nil || len(files) < 2 {
		t.Fatalf("files are %v, %v", files, err)
	}
	found := 0
	for _, path := range files {
		var n int
		if _, err := fmt.Sscanf(filepath.Base(path), "%d.blk", &n); err != nil {
			t.Fatal(err)
		}
		buf, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		seqs, holes := f.Scan(n, buf)
		if holes != 0 {
			t.Fatalf("%s has %d holes", path, holes)
		}
		for _, seq := range seqs {
			if _, ok := want[seq]; ok {
				found++
			} else if seq != 20 && seq >= 4 { // deleted by a tombstone elsewhere
				t.Fatalf("message %d is in %s", seq, path)
			}
		}
	}
	if found != len(want) {
		t.Fatalf("%d messages found, the server has %d", found, len(want))
	}
	if damage, _, err := f.Check(nil); err != nil || damage != nil {
		t.Fatalf("found %v, %v", damage, err)
	}
	if err := os.Remove(filepath.Join(f.Path, "msgs/index.db")); err != nil {
		t.Fatal(err)
	}
	if damage, _, err := f.Check(nil); err != nil || damage != nil {
		t.Fatalf("found %v, %v", damage, err)
	}
	p.start()
	defer p.stop()
	if got := p.messages(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatal("the server has other messages than before")
	}
}

// TestAnUnknownFormatIsLeftAlone: to who reads it wrongly all is damaged.
func TestAnUnknownFormatIsLeftAlone(t *testing.T) {
	p := newPeer(t)
	want := p.messages()
	p.stop()
	f := p.folder()
	other := f
	other.Path = filepath.Join(p.dir, "other") // the checksums are keyed by the name
	if err := os.Rename(f.Path, other.Path); err != nil {
		t.Fatal(err)
	}
	if damage, _, err := other.Check(nil); err == nil || !strings.Contains(err.Error(), "none of the") || damage != nil {
		t.Fatalf("found %v, %v", damage, err)
	}
	if err := os.Rename(other.Path, f.Path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Check(nil); err != nil {
		t.Fatal(err)
	}
	p.start()
	defer p.stop()
	if got := p.messages(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatal("the server has other messages than before")
	}
}

// TestDamageInEachFileLeavesTheRest: of every file one message is damaged, and the rest is
// with the server still; the files as they were are kept.
func TestDamageInEachFileLeavesTheRest(t *testing.T) {
	p := newPeer(t)
	want := p.messages()
	p.stop()
	f := p.folder()
	if err := os.Remove(filepath.Join(f.Path, "msgs/index.db")); err != nil {
		t.Fatal(err)
	}
	spoilt := map[string][]byte{}
	lost := map[uint64]bool{}
	files, err := filepath.Glob(filepath.Join(f.Path, "msgs/*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		buf, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		_, _ = fmt.Sscanf(filepath.Base(path), "%d.blk", &n)
		before, _ := f.Scan(n, buf)
		buf[len(buf)/2] ^= 16
		after, _ := f.Scan(n, buf)
		if len(after) != len(before)-1 {
			t.Fatalf("%s: %v is left of %v", path, after, before)
		}
		for i, seq := range before {
			if i >= len(after) || after[i] != seq {
				lost[seq] = true
				break
			}
		}
		if err := os.WriteFile(path, buf, 0o600); err != nil {
			t.Fatal(err)
		}
		spoilt[path] = buf
	}
	damage, _, err := f.Check(nil)
	if err != nil || len(damage) != len(files) {
		t.Fatalf("found %v, %v", damage, err)
	}
	for _, d := range damage {
		if kept, err := os.ReadFile(d.Copy); err != nil || !bytes.Equal(kept, spoilt[d.File]) || d.First != d.Last || !lost[d.First] {
			t.Fatalf("%+v: %v, lost are %v", d, err, lost)
		}
		delete(want, d.First)
	}
	if damage, _, err = f.Check(nil); err != nil || damage != nil {
		t.Fatalf("found again %v, %v", damage, err)
	}
	p.start()
	defer p.stop()
	if got := p.messages(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("the server has %d messages, want %d", len(got), len(want))
	}
}
