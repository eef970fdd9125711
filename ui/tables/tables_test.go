package tables_test

import (
	"testing"
	"time"

	"tarn/ui/home"
	"tarn/ui/tables"
	"tarn/ui/uitest"
)

// TestNoMoreFilesAreSmallThanThereAre: upkeep counted the small ones before a compaction.
func TestNoMoreFilesAreSmallThanThereAre(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	feed := uitest.Port(now)
	for i := range feed.StatsNow {
		feed.StatsNow[i].Files = 1
	}
	seen := 0
	for _, one := range tables.Look(tables.Input{Now: now, Lake: home.Lake{Known: true, Stats: feed.StatsNow}, Care: home.Care{}.Next(now, feed.HealthNow)}).Tables {
		if one.SmallFiles == nil {
			continue
		}
		seen++
		if *one.SmallFiles > *one.Files {
			t.Errorf("%s has %d small files of %d", one.Name, *one.SmallFiles, *one.Files)
		}
	}
	if seen == 0 {
		t.Error("upkeep counted nothing")
	}
}
