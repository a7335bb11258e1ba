// SPDX-License-Identifier: MIT

// follow prints the message of every event of a stream, which net/http unpacks by itself,
// and asks for the rest with Last-Event-ID whenever it ends.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// stream reads until the end and returns the id of the last event.
func stream(url, last string) string {
	request, _ := http.NewRequest("GET", url, nil)
	request.Header.Set("Accept", "text/event-stream")
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return last
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 || !answer.Uncompressed {
		fmt.Println("strange:", answer.Status, answer.Uncompressed)
	}
	var id, event, data string
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			event = value
		case "data":
			data = value
		case "":
			if id != "" {
				last = id
			}
			var body struct{ Message, Mode string }
			if data != "" {
				json.Unmarshal([]byte(data), &body)
				fmt.Println(event, body.Message+body.Mode)
			}
			event, data = "", ""
		}
	}
	return last
}

func main() {
	last := ""
	for {
		last = stream(os.Args[1], last)
		time.Sleep(20 * time.Millisecond)
	}
}
