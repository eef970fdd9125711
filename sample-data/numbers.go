package sampledata

import (
	"fmt"
	"math/rand/v2"
)

// owners are invented, in the form of container owners' codes; U is a freight container.
var owners = [...]string{"TRNU", "ATLU", "STRU", "HERU"}

func drawContainer(rng *rand.Rand) string {
	ten := fmt.Sprintf("%s%06d", owners[rng.IntN(len(owners))], rng.IntN(1_000_000))
	return fmt.Sprintf("%s%d", ten, containerCheckDigit(ten))
}

// containerCheckDigit is ISO 6346's: letters count from 10 on, skipping the
// multiples of 11, each place weighs twice the one before it, and 10 becomes 0.
func containerCheckDigit(ten string) int {
	sum := 0
	for i, c := range []byte(ten) {
		value := int(c - '0')
		if c >= 'A' {
			value = int(c-'A') + 10
			value += (value - 1) / 10 // passes over 11, 22 and 33
		}
		sum += value << i
	}
	return sum % 11 % 10
}
