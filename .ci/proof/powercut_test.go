package proof_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	proof "tarn/.ci/proof"
)

// plug is a live Tarn on a disk whose power is cut.
type plug struct {
	t      *testing.T
	rnd    *rand.Rand
	disk   *proof.Disk
	scene  *proof.Scene
	dir    string
	onDisk bool // the database is on the disk that is cut
	hasty  bool // about files that nothing names
	live   *proof.Process
	upkeep *proof.Upkeep // of live; nil for none
	within *tally
	read   *readers // of the disk that goes on, which a cut must not disturb
}

// TestPowerCuts cuts the power under load and at each hand-over. From what is left a Tarn
// must start by itself, have all that was shown before the cut, and go on to all that was
// acknowledged.
func TestPowerCuts(t *testing.T) {
	cuts := *flagCuts
	for _, c := range []struct {
		mode   string
		onDisk bool
		hasty  bool
		share  int // of a hundred
	}{{"WAL", false, false, 34}, {"DELETE", false, true, 34}, {"WAL", true, true, 16}, {"DELETE", true, false, 16}} {
		t.Run(fmt.Sprintf("%s,database on the disk=%v", c.mode, c.onDisk), func(t *testing.T) {
			plugged(t, c.mode, c.onDisk, c.hasty).cutAll((cuts*c.share + 50) / 100)
		})
	}
}

func plugged(t *testing.T, mode string, onDisk, hasty bool) *plug {
	p := &plug{t: t, rnd: seed(t), disk: disk(t), dir: t.TempDir(), onDisk: onDisk, hasty: hasty, within: newTally()}
	folder := filepath.Join(p.dir, "db")
	if onDisk {
		folder = filepath.Join(p.disk.Live, "db")
	}
	must(t, os.MkdirAll(folder, 0o755))
	var err error
	p.scene, err = proof.NewScene(t.Context(), program(t, hasty), p.dir, filepath.Join(p.disk.Live, "data"), filepath.Join(folder, "source.db"), mode)
	must(t, err)
	// Even the youngest folder must be on the disk for the first cut.
	must(t, proof.SyncAll(p.disk.Live))
	p.scene.Every = 8 * time.Millisecond
	must(t, p.scene.Write())
	p.read = newReaders(t, p.rnd, hasty)
	t.Cleanup(func() {
		p.scene.Abandon()
		if p.live != nil {
			p.live.Kill()
		}
		if p.upkeep != nil {
			p.upkeep.Stop()
		}
	})
	return p
}

func (p *plug) cutAll(cuts int) {
	named := points(p.hasty)[1:]
	todo := []string{"source.chunk:1", "source.chunk:2", "source.chunk:3"}
	for len(todo) < cuts {
		todo = append(todo, fmt.Sprintf("%s:%d", named[p.rnd.IntN(len(named))], 1+p.rnd.IntN(6)), "")
	}
	for n, point := range todo[:cuts] {
		shown := p.load(point)
		began := time.Now()
		under := p.cut(n, point, shown)
		p.t.Logf("cut %d: %s, within %s: proved in %s", n, point, cmp.Or(under, "no order"), time.Since(began).Round(time.Millisecond))
	}
	p.rest()
	p.read.finish()
	p.within.tell(p.t, "cut")
}

// rest ends the orders of upkeep.
func (p *plug) rest() {
	if p.upkeep == nil {
		return
	}
	p.upkeep.Stop()
	must(p.t, p.upkeep.Wrong)
	p.within.add(p.upkeep)
	p.upkeep = nil
}

// load runs the live Tarn until it kills itself at a point, or for a random time, and
// returns what it showed last.
func (p *plug) load(point string) (shown *proof.Observed) {
	t := p.t
	p.rest()
	if p.live != nil && (p.live.Ended() || point != "") {
		p.live.Kill()
		p.live = nil
	}
	if p.live == nil {
		env := []string{"TARN_LANDING_COMMIT_INTERVAL=200ms"}
		if point != "" {
			env = append(env, "TARN_CRASH="+point)
		}
		var err error
		p.live, err = p.scene.House.Start(env...)
		must(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), pointWithin)
	defer cancel()
	if err := p.live.Ready(ctx); err != nil && point == "" {
		t.Fatal(err)
	}
	if point == "" {
		p.read.start(p.live)
	}
	p.upkeep = p.scene.Upkeep(p.live)
	until := time.Now().Add(200*time.Millisecond + time.Duration(p.rnd.Int64N(int64(2*time.Second))))
	must(t, proof.Until(ctx, func() (bool, error) {
		if o, err := p.scene.Observe(ctx, p.live); err == nil {
			shown = o
		} else if refused := new(proof.Refusal); errors.As(err, &refused) {
			return true, err
		}
		if point != "" {
			return p.live.Ended(), nil
		}
		return time.Now().After(until), nil
	}))
	return shown
}

// cut cuts the power now and proves what is left. It tells which order of upkeep was under way.
func (p *plug) cut(n int, point string, shown *proof.Observed) (under string) {
	t, s := p.t, p.scene
	if !p.live.Ended() {
		proof.Freeze(p.live.PID())
	}
	s.Freeze()
	under = p.upkeep.Under()
	p.within.fell(under)
	must(t, p.disk.Cut())
	size, err := s.ListSize()
	must(t, err)
	// The database outside goes on, and so does the Tarn on it, so what is proved has a copy.
	replace, database := map[string]string{p.disk.Live: p.disk.After()}, filepath.Join(p.disk.After(), "db", "source.db")
	if !p.onDisk {
		folder := filepath.Join(p.dir, fmt.Sprint("copy", n))
		must(t, os.MkdirAll(folder, 0o755))
		defer func() { _ = os.RemoveAll(folder) }()
		database = filepath.Join(folder, "source.db")
		must(t, proof.CopyDatabase(s.Database, database))
		replace[filepath.Dir(s.Database)] = folder
	}
	if !p.live.Ended() {
		proof.Thaw(p.live.PID())
	}
	must(t, p.disk.Settle())

	second := *s.House
	second.Seen, second.Within = strings.Replace(s.House.Data, p.disk.Live, p.disk.After(), 1), proof.Instead(replace)
	second.Log = filepath.Join(p.dir, "second.log")
	if err := p.proved(&second, database, size, shown); err != nil {
		t.Fatalf("cut %d at %q (seed above): %v", n, point, err)
	}
	must(t, os.Remove(second.Log))
	s.Thaw()
	return under
}

// proved starts a Tarn on what a cut left. Its source is locked at first, so that what it
// has is what was on the disk; then it catches up.
func (p *plug) proved(h *proof.House, database string, size int64, shown *proof.Observed) error {
	ctx := p.t.Context()
	release, err := proof.LockDatabase(database)
	if err != nil {
		return err
	}
	second, err := h.Up(ctx)
	if err != nil {
		return errors.Join(err, release())
	}
	defer second.Kill()
	if shown != nil {
		found, err := p.scene.StillThere(ctx, second, shown)
		if len(found) > 0 || err != nil {
			return errors.Join(err, release(), errors.New(strings.Join(found, "\n")), errors.New(h.Tail()))
		}
	}
	if err := release(); err != nil {
		return err
	}
	return p.scene.Quiet(ctx, second, database, size)
}
