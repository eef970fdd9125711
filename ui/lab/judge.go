package lab

import (
	"tarn/ui/words"
)

// Each function here says what the answers to a step's statements mean. What is not there has no rows.

func judgeSource(a []Rows) Found {
	name, state, rows := a[0].text(0), a[0].text(1), a[0].number(2)
	switch {
	case len(a[0]) == 0:
		return Found{Text: words.Say("There is no source."), Next: words.Say("Add one on the page Sources, post a record, or start tarn up --sample.")}
	case state != "streaming" && state != "snapshot":
		return Found{Text: words.Join(": ", words.Say("Source %s is %s", name, words.State(state)), words.Plain(a[0].text(3))), Next: words.Plain(a[0].text(4))}
	}
	return Found{Done: true, Text: words.Many(rows, "%[2]s streams; it has read %[1]s change since this Tarn started.", "%[2]s streams; it has read %[1]s changes since this Tarn started.", name)}
}

func judgePosted(a []Rows, topic string) Found {
	if n := a[1].number(1); n > 0 {
		return Found{Done: true, Text: words.Many(n, "%[2]s needs no source: programs post to it. It has %[1]s record.", "%[2]s needs no source: programs post to it. It has %[1]s records.", topic)}
	}
	return judgeSource(a)
}

func judgeTopic(a []Rows, topic string) Found {
	kept, appended := a[0].number(0), a[0].number(1)
	if appended == 0 {
		return Found{Text: nothingIn(topic), Next: words.Say("Change a row in its source, or post a record, and check again.")}
	}
	return Found{Done: true, Text: words.Many(kept, "The log has %[1]s record of %[2]s; the next offset is %[3]s.", "The log has %[1]s records of %[2]s; the next offset is %[3]s.", topic, words.Count(appended))}
}

// nothingIn says that a thing has no rows.
func nothingIn(name string) words.Text { return words.Say("%s has nothing yet.", name) }

func judgeBronze(a []Rows, name string) Found {
	rows := a[0].number(0)
	if rows == 0 {
		return Found{Text: nothingIn(name), Next: words.Say("A record lands within a second or two: check again.")}
	}
	return Found{Done: true, Text: words.Many(rows, "%[2]s has %[1]s row; the newest is of offset %[3]s.", "%[2]s has %[1]s rows; the newest is of offset %[3]s.", name, words.Count(a[0].number(1)))}
}

func judgeSilver(a []Rows, name string) Found {
	rows, changes := a[0].number(0), a[1].number(0)
	has := words.Many(rows, "%[2]s has %[1]s row", "%[2]s has %[1]s rows", name)
	if changes == 0 {
		return Found{Text: words.Join(" ", has, words.Say("and no change of one has come yet.")), Next: words.Say("Change or delete a row in the source, and check again.")}
	}
	return Found{Done: true, Text: words.Join(" ", has, words.Many(changes, "and %s change or deletion in it.", "and %s changes and deletions in it."))}
}

func judgePipeline(a []Rows, name string) Found {
	state, rows, lag := a[0].text(1), a[0].number(2), a[0].number(3)
	switch {
	case len(a[0]) == 0:
		return Found{Text: words.Say("There is no pipeline %s yet.", name), Next: words.Say("Run the statement that makes it.")}
	case state != "running" && state != "starting":
		return Found{Text: words.Join(": ", words.Say("Pipeline %s is %s", name, words.State(state)), words.Plain(a[0].text(4))), Next: words.Plain(a[0].text(5))}
	case state == "starting":
		return Found{Text: words.Say("Pipeline %s starts.", name), Next: words.Say("Check again in a second.")}
	}
	return Found{Done: true, Text: words.Many(rows, "%[2]s runs; it has read %[1]s row, and %[3]s wait.", "%[2]s runs; it has read %[1]s rows, and %[3]s wait.", name, words.Count(lag))}
}

func judgeGold(a []Rows, name string) Found {
	rows := a[0].number(0)
	switch {
	case a[0] == nil:
		return Found{Text: words.Say("There is no table %s yet.", name), Next: words.Say("Its pipeline makes it with its first commit: see the step before.")}
	case rows == 0:
		return Found{Text: nothingIn(name), Next: words.Say("Wait for its first rows: a window tells its answer when it closes.")}
	}
	return Found{Done: true, Text: words.Many(rows, "%[2]s has %[1]s row.", "%[2]s has %[1]s rows.", name)}
}

func judgePast(a []Rows, name string) Found {
	if len(a[0]) == 0 {
		return Found{Text: words.Say("%s has no snapshot that is ten seconds old.", name), Next: words.Say("Check again in a while.")}
	}
	now, before := a[0].number(0), a[0].number(1)
	return Found{Done: true, Text: words.Many(now, "%[2]s has %[1]s row now, and had %[3]s ten seconds ago.", "%[2]s has %[1]s rows now, and had %[3]s ten seconds ago.", name, words.Count(before))}
}

func judgeFaults(a []Rows, switches map[string]bool) Found {
	late, dead := a[0].number(0), a[1].number(0)
	found := Found{Done: late+dead > 0, Text: words.Say("system.late has %s, system.dead_letter %s.", words.Many(late, "%s row", "%s rows"), words.Many(dead, "%s row", "%s rows"))}
	if found.Done {
		return found
	}
	found.Next = words.Say("Post the record, run the statements, and check again.")
	if switches == nil {
		return found
	}
	found.Next = words.Say("Switch on late or poison.")
	for _, on := range switches {
		if on {
			found.Next = words.Say("A fault is on: the port meets it within a minute. Check again.")
		}
	}
	return found
}

// judgeKill holds the rows against the log: as many rows as offsets as records that were ever appended means that none is lost and none is double.
func judgeKill(a []Rows) Found {
	appended, rows, offsets, before := a[0].number(0), a[1].number(0), a[1].number(1), a[1].number(2)
	switch {
	case appended == 0:
		return Found{Text: words.Say("Nothing was posted to the topic lab yet."), Next: words.Say("Post the record first, then kill this Tarn.")}
	case rows != offsets:
		return Found{Text: words.Say("bronze.lab has %s rows of %s offsets: some are double, which must not be.", words.Count(rows), words.Count(offsets)), Next: words.Say("Keep the data folder, and tell us.")}
	case offsets != appended:
		return Found{Text: words.Say("The log has %s records, bronze.lab has %s of them so far.", words.Count(appended), words.Count(offsets)), Next: words.Say("Check again in a second.")}
	case before == 0:
		return Found{Text: words.Many(rows, "bronze.lab has %s row, once, all of them posted since this Tarn started.", "bronze.lab has %s rows, each once, all of them posted since this Tarn started."), Next: words.Say("Now kill this Tarn, and start it again.")}
	}
	return Found{Done: true, Text: words.Many(appended, "%[1]s record was acknowledged, %[2]s before this start, and bronze.lab has each once: nothing lost, nothing double.", "%[1]s records were acknowledged, %[2]s before this start, and bronze.lab has each once: nothing lost, nothing double.", words.Count(before))}
}
