package proof_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	proof "tarn/.ci/proof"
	"tarn/embedded/peertest"
)

// The disk of these proofs and the reserve that Tarn is told to keep of it.
const (
	smallMB     = 1024
	reserve     = 64 << 20
	toldWithin  = 3 * time.Minute // from a full disk to /health that says so
	wellWithin  = 6 * time.Minute // from room to /health that is well
	heldFullMax = 3 * time.Second
)

// small is a live Tarn whose data folder lies on a disk that fills up.
type small struct {
	t     *testing.T
	rnd   *rand.Rand
	disk  *proof.SmallDisk
	scene *proof.Scene
	live  *proof.Process
}

func onSmallDisk(t *testing.T, kind string) *small {
	if missing := proof.SmallDiskMissing(kind); missing != "" {
		peertest.Missing(t, missing)
	}
	dir := t.TempDir()
	d, err := proof.NewSmallDisk(kind, filepath.Join(dir, "disk"), smallMB)
	must(t, err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &small{t: t, rnd: seed(t), disk: d}
	s.scene, err = proof.NewScene(t.Context(), binary(t), dir, filepath.Join(d.Path, "data"), filepath.Join(dir, "source.db"), "WAL")
	must(t, err)
	s.scene.House.Args = []string{"--listen", "auto", "--set", fmt.Sprintf("disk.reserve=%dB", reserve), "--set", "landing.commit_interval=200ms"}
	must(t, s.scene.Write())
	t.Cleanup(func() {
		s.scene.Abandon()
		if s.live != nil {
			s.live.Kill()
		}
	})
	return s
}

// TestFullDisk lets another program fill the disk under a Tarn at work. While it is full
// readers go on and /health says what to do; when there is room everything goes on by itself.
func TestFullDisk(t *testing.T) {
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			s := onSmallDisk(t, kind)
			s.start()
			for n := range *flagFills {
				leave := []int64{reserve - 8<<20, reserve / 8, 0}[n%3]
				began := time.Now()
				s.fill(leave)
				t.Logf("fill %d: %d MB left: proved in %s", n, leave>>20, time.Since(began).Round(time.Millisecond))
			}
		})
	}
}

func (s *small) start() {
	var err error
	s.live, err = s.scene.House.Up(s.t.Context())
	must(s.t, err)
}

// fill fills the disk at a random moment, looks at what a full Tarn does, and makes room.
func (s *small) fill(leave int64) {
	t := s.t
	time.Sleep(time.Duration(s.rnd.Int64N(int64(heldFullMax))))
	must(t, s.disk.Fill(leave))
	s.told("disk.reserve")
	if leave > reserve/4 {
		s.lands()
	}
	s.reads()
	must(t, s.disk.Empty())
	s.well()
}

// TestFullDiskSteps has the disk full when Tarn stops, is killed, and starts.
func TestFullDiskSteps(t *testing.T) {
	s := onSmallDisk(t, "ext4")
	s.start()
	must(t, s.disk.Fill(0))
	s.told("disk.reserve")
	code, err := s.live.Stop(stopWithin)
	must(t, err)
	if code != exitInterrupted {
		t.Errorf("exit code %d at a stop on a full disk, want %d\n%s", code, exitInterrupted, s.scene.House.Tail())
	}
	s.startFull()
	s.live.Kill()
	s.startFull()
	must(t, s.disk.Empty())
	must(t, s.live.Ready(t.Context()))
	s.well()
}

// startFull starts on a full disk: a Tarn that waits and says for what.
func (s *small) startFull() {
	must(s.t, os.Remove(s.scene.House.Log))
	var err error
	s.live, err = s.scene.House.Start()
	must(s.t, err)
	ctx, cancel := context.WithTimeout(s.t.Context(), toldWithin)
	defer cancel()
	must(s.t, proof.Until(ctx, func() (bool, error) {
		if s.live.Ended() {
			return true, fmt.Errorf("tarn ended\n%s", s.scene.House.Tail())
		}
		said := s.scene.House.Tail()
		if !strings.Contains(said, "part waits") || !strings.Contains(said, "disk.reserve") {
			return false, errors.New("it does not say that it waits for room\n" + said)
		}
		return true, nil
	}))
}

// TestQuota refuses every write while the disk says that it has room. There btrfs refuses also the memory that
// SQLite's readers share, where it has to grow: such a reader is told to try again.
func TestQuota(t *testing.T) {
	s := onSmallDisk(t, "btrfs")
	s.start()
	for range *flagFills {
		time.Sleep(time.Duration(s.rnd.Int64N(int64(heldFullMax))))
		must(t, s.disk.Quota(true))
		s.told("room")
		s.reads("unavailable")
		must(t, s.disk.Quota(false))
		s.well()
	}
}

// TestReadOnlyDisk has the kernel refuse every write until the disk is mounted anew, for
// which Tarn is stopped.
func TestReadOnlyDisk(t *testing.T) {
	s := onSmallDisk(t, "ext4")
	s.start()
	for range *flagFills {
		time.Sleep(time.Duration(s.rnd.Int64N(int64(heldFullMax))))
		must(t, s.disk.Break())
		s.told("read-only")
		s.reads()
		_, err := s.live.Stop(stopWithin)
		must(t, err)
		must(t, s.disk.Mend())
		s.start()
		s.well()
	}
}

// reads looks for a random time, once at least. An error that says one of the words is let pass.
func (s *small) reads(but ...string) {
	until := time.Now().Add(time.Duration(s.rnd.Int64N(int64(heldFullMax))))
	for looked := false; !looked || time.Now().Before(until); looked = true {
		_, err := s.scene.Observe(s.t.Context(), s.live)
		if err != nil && !slices.ContainsFunc(but, func(word string) bool { return strings.Contains(err.Error(), word) }) {
			s.t.Fatalf("a reader on a full disk: %v\n%s", err, s.scene.House.Tail())
		}
	}
}

// told waits until /health names what is wrong, with a hint that says a thing.
func (s *small) told(hint string) {
	s.health(toldWithin, func(h health) error {
		for _, part := range h.Parts {
			if part.State == "degraded" && strings.Contains(part.Hint, hint) {
				return nil
			}
		}
		return errors.New("nobody tells of the full disk")
	})
}

// lands waits until landing has landed all that the log holds, though the log takes no more.
func (s *small) lands() {
	s.health(toldWithin, func(h health) error {
		if landing, bus := h.part("landing"), h.part("bus"); landing.State != "ready" || landing.Lag > 0 || bus.State != "degraded" {
			return errors.New("landing does not go on at the reserve")
		}
		return nil
	})
}

// well waits until everything is well again, and holds all against the source.
func (s *small) well() {
	s.health(wellWithin, func(h health) error {
		if h.Status != "ok" {
			return errors.New("not well yet")
		}
		return nil
	})
	if err := s.scene.Settle(s.t.Context(), s.live); err != nil {
		s.t.Fatal(err)
	}
}

// health is what /health answers.
type health struct {
	Status string
	Parts  []part
}

type part struct {
	Name, State, Error, Hint string
	Lag                      int64 `json:"lag_ms"`
}

func (h health) part(name string) part {
	for _, p := range h.Parts {
		if p.Name == name {
			return p
		}
	}
	return part{}
}

func (s *small) health(within time.Duration, look func(health) error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	must(s.t, proof.Until(ctx, func() (bool, error) {
		if s.live.Ended() {
			return true, fmt.Errorf("tarn ended\n%s", s.scene.House.Tail())
		}
		_, body, err := s.live.Get(ctx, "/health")
		if err != nil {
			return false, err
		}
		var h health
		if err := json.Unmarshal(body, &h); err != nil {
			return true, err
		}
		if err := look(h); err != nil {
			for _, part := range h.Parts {
				if part.State != "ready" {
					err = fmt.Errorf("%w\n%+v", err, part)
				}
			}
			return false, fmt.Errorf("%w\n%s", err, s.scene.House.Tail())
		}
		return true, nil
	}))
}
