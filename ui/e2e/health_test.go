package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tarn/ui/uitest"
)

const logLines = `document.querySelectorAll("#lines [data-line]").length`

func TestHealthTellsOfTarnItself(t *testing.T) {
	s := serve(t, uitest.Port(time.Now().Add(-30*time.Minute)), "127.0.0.1:0")
	s.tel.Log.Info("started", "part", "bus", "fsync", "always")
	s.tel.Log.Warn(uitest.Hostile, "part", "lake", "password", "hunter2") //nolint:sloglint // a text of somebody else
	b := open(t)
	b.visit(s.url + "status")
	b.until(logLines + ` === 2 && document.querySelector("#lines .line b").textContent.startsWith("<img")`) // the newest first
	b.until(`document.querySelectorAll("#parts tbody tr").length === 8 && /^\d+\smin$/.test(document.querySelector("#parts tbody td:nth-child(3)").textContent)`)
	if text := eval[string](b, `document.querySelector("main").textContent`); !containsAll(text, "curl -sS http://127.0.0.1:7700/api/sql", "bootstrap.servers=127.0.0.1:9092", "1.8\u202fGB free", "9.12\u202fGB", "4\u202f210", "1.07\u202fGB of 4.29\u202fGB", "fsync=always", "password=***") {
		t.Errorf("the page says %s", text)
	}
	s.tel.Log.Error("disk full", "part", "bus")
	b.until(logLines + ` === 3 && document.querySelector("#lines .line b").textContent === "disk full"`)
	b.press("#tail")
	b.until(`document.getElementById("tail").textContent === "Live tail"`)
	s.tel.Log.Info("unseen for now")
	eval[bool](b, `new Promise((done) => setTimeout(() => done(true), 1500))`) // longer than the tail asks
	if got := eval[int](b, logLines); got != 3 {
		t.Errorf("%d lines after the pause", got)
	}
	b.press("#tail")
	b.until(logLines + ` === 4`)
	b.follow(`#log a[href="/status?level=warn"]`)
	b.arrives(logLines + ` === 2 && document.querySelector('#log [aria-current="true"]').textContent === "warnings and errors"`)
	s.tel.Log.Info("not of this level")
	s.tel.Log.Warn("of this level")
	b.until(logLines + ` === 3`)
	if got := eval[string](b, `document.title + document.querySelectorAll("main img").length`); got != "Health · Tarn0" {
		t.Errorf("something became HTML: %s", got)
	}
	if got := eval[string](b, `fetch("/api/status?level=error").then((r) => r.json()).then((s) => [s.log.length, s.log[0].message, s.usage.disk_free, s.parts.length, s.doors[0].connect.length].join())`); got != "1,disk full,1800000000,8,2" {
		t.Errorf("the twin says %s", got)
	}
	b.clean()
}

func TestHealthIsAccessibleAndFits(t *testing.T) {
	for name, feed := range map[string]*uitest.Feed{"trouble": looks["trouble"](), "hostile": uitest.HostileNames(time.Now()), "empty": {}} {
		s := serve(t, feed, "127.0.0.1:0")
		if name != "empty" {
			for i := range 30 {
				s.tel.Log.Info("table committed", "part", "landing", "table", "silver.a_table_with_a_rather_long_name", "rows", i*100)
			}
			s.tel.Log.Error("commit failed", "part", "landing", "error", uitest.Hostile)
		}
		for i, theme := range []string{"dark", "light"} {
			b := open(t)
			b.prefers(theme)
			b.visit(s.url + "status?lang=" + []string{"en", "fr"}[i])
			b.until(`document.querySelectorAll("#parts td").length || document.querySelector("#parts .nothing")`)
			b.accessible()
			for _, width := range []int64{390, 800, 1280} {
				b.do(chromedp.EmulateViewport(width, 844))
				b.fits(name, width)
				b.shot(fmt.Sprintf("health-%s-%s-%d", name, theme, width))
			}
			b.clean()
		}
	}
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
