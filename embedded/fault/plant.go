//go:build !planted

package fault

// Planted tells whether a fault is to be made on purpose, which a proof must find. Only a build with
// the tag planted has any.
func Planted(string) bool { return false }

// Plantable tells whether this build has such faults.
const Plantable = false
