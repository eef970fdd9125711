package home

import "tarn/ui/words"

// Unknown is shown for a number that is not known.
const Unknown = words.Unknown

// Count is words.Count in English.
func Count(n int64) string { return words.Count(n).String() }
