package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarn/embedded/config"
	"tarn/embedded/fault"
)

func TestEachLayerOverridesTheOneBefore(t *testing.T) {
	project := t.TempDir()
	yaml := "bus:\n  sync_interval: 2s\nlanding.commit_interval: 3s\nsql.timeout: 4s\nhttp.hosts: [a.example, b.example]\n"
	if err := os.WriteFile(filepath.Join(project, config.File), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Read(
		[]string{"HOME=/root", "TARN_LANDING_COMMIT_INTERVAL=5s", "TARN_SQL_TIMEOUT=6s", "TARN_CRASH=x:1"},
		[]config.Flag{{Key: "project", Value: project}, {Key: "sql.timeout", Value: "7s"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	if c.BusSyncInterval != 2*time.Second || c.LandingInterval != 5*time.Second || c.SQLTimeout != 7*time.Second || c.BusFsync != "always" {
		t.Fatalf("got %+v", c)
	}
	if len(c.HTTPHosts) != 2 {
		t.Fatalf("hosts are %v", c.HTTPHosts)
	}
	for key, want := range map[string]string{"bus.fsync": "default", "landing.commit_interval": "TARN_LANDING_COMMIT_INTERVAL", "sql.timeout": "--sql.timeout"} {
		if got := c.Origin(key); got != want {
			t.Errorf("origin of %s is %q, want %q", key, got, want)
		}
	}
	if got := c.Origin("bus.sync_interval"); !strings.HasSuffix(got, "tarn.yaml:2") {
		t.Errorf("origin of bus.sync_interval is %q", got)
	}
}

func TestWrongSettingsNameTheWayOut(t *testing.T) {
	for name, c := range map[string]struct {
		environ []string
		flags   []config.Flag
		hint    string
	}{
		"unknown variable": {environ: []string{"TARN_BUS_FSINC=always"}, hint: "did you mean bus.fsync?"},
		"unknown flag":     {flags: []config.Flag{{Key: "memroy", Value: "1GB"}}, hint: "did you mean memory?"},
		"no unit":          {flags: []config.Flag{{Key: "memory", Value: "1000"}}, hint: "such as 512MB"},
		"too small":        {flags: []config.Flag{{Key: "memory", Value: "1MB"}}, hint: "at least 384MB"},
		"not a choice":     {flags: []config.Flag{{Key: "bus.fsync", Value: "never"}}, hint: "always or interval"},
		"no duration":      {flags: []config.Flag{{Key: "sql.timeout", Value: "5"}}, hint: "such as 2s"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Read(c.environ, c.flags)
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Fatalf("got %v, hint %q", err, fault.HintOf(err))
			}
		})
	}
}

func TestAnUnknownKeyOfTheFileNamesItsLine(t *testing.T) {
	project := t.TempDir()
	if err := os.WriteFile(filepath.Join(project, config.File), []byte("log.level: info\ndisk:\n  reserv: 1GB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Read(nil, []config.Flag{{Key: "project", Value: project}})
	if err == nil || !strings.Contains(err.Error(), "tarn.yaml:3") || !strings.Contains(fault.HintOf(err), "disk.reserve") {
		t.Fatalf("got %v, hint %q", err, fault.HintOf(err))
	}
}

func TestBytesReadBack(t *testing.T) {
	for _, n := range []int64{0, 1, 1023, 1 << 10, 512 << 20, 3 << 29, 1 << 40} {
		got, err := config.ParseBytes(config.FormatBytes(n))
		if err != nil || got != n {
			t.Errorf("%d: got %d, %v", n, got, err)
		}
	}
}

func TestShownSettingsReadBack(t *testing.T) {
	c, err := config.Read(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var flags []config.Flag
	for _, l := range c.Lines() {
		flags = append(flags, config.Flag{Key: l.Key, Value: l.Value})
	}
	again, err := config.Read(nil, flags)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range again.Lines() {
		if l.Value != c.Lines()[i].Value {
			t.Errorf("%s: %q became %q", l.Key, c.Lines()[i].Value, l.Value)
		}
	}
}
