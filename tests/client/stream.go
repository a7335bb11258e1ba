// SPDX-License-Identifier: MIT

// stream prints each line of a stream as soon as net/http, which unpacks by itself,
// hands it over.
package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
)

func main() {
	answer, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("unpacked:", answer.Uncompressed)
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		fmt.Println(lines.Text())
	}
	fmt.Println("end")
}
