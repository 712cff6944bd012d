// gwexample: posts a message as JSON to `url` with the token `token`.
// Build: GO111MODULE=off go build -o ROOT/gate/gwexample main.go
// Reads XML on stdin, answers XML on stdout; the contract is docs/gate.md. Standard library only.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const features = `<doc><features><feature name="check_connection"/><feature name="outgoing"/><feature name="serve"/>` +
	`</features><notify_module>ntsms</notify_module><window>32</window></doc>`

// failure is an answer that is no success: kind is later, never, hold or unreached.
type failure struct {
	kind, text string
	pause      int
}

func (f *failure) Error() string { return f.text }

// errUnknown: the message went out, and no answer came back.
var errUnknown = errors.New("no answer after the message was sent")

// gateway is what xmlparams holds: a document written as text.
type gateway struct {
	URL    string `xml:"url"`
	Token  string `xml:"token"`
	Sender string `xml:"sender"`
}

// client keeps its connections from one message to the next.
var client = http.Client{
	Timeout:   20 * time.Second,
	Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 32},
}

func parse(source []byte, into interface{}) error {
	if err := xml.Unmarshal(source, into); err != nil {
		return &failure{kind: "later", text: "the input can't be read: " + err.Error()}
	}
	return nil
}

func params(text string) (gateway, error) {
	var g gateway
	return g, parse([]byte(text), &g)
}

func call(g gateway, method string, body []byte) ([]byte, error) {
	request, err := http.NewRequest(method, g.URL, bytes.NewReader(body))
	if err != nil {
		return nil, &failure{kind: "hold", text: "url is no address"}
	}
	request.Header.Set("Authorization", "Bearer "+g.Token)
	request.Header.Set("Content-Type", "application/json")
	reply, err := client.Do(request)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, &failure{kind: "unreached", text: "the service can't be reached: " + op.Err.Error()}
		}
		return nil, errUnknown
	}
	defer reply.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	return answer, judge(reply)
}

func judge(reply *http.Response) error {
	words := fmt.Sprintf("the service answered %d", reply.StatusCode)
	switch {
	case reply.StatusCode/100 == 2:
		return nil
	case reply.StatusCode == 401, reply.StatusCode == 403:
		return &failure{kind: "hold", text: words}
	case reply.StatusCode == 429, reply.StatusCode >= 500:
		pause, _ := strconv.Atoi(reply.Header.Get("Retry-After"))
		return &failure{kind: "later", text: words, pause: pause}
	}
	return &failure{kind: "never", text: words}
}

func checkConnection(source []byte) ([]byte, error) {
	var form struct {
		Params string `xml:"xmlparams"`
	}
	if err := parse(source, &form); err != nil {
		return nil, err
	}
	g, err := params(form.Params)
	if err == nil {
		_, err = call(g, http.MethodGet, nil)
	}
	return source, err
}

// document is a message, and in serve mode what comes with it.
type document struct {
	Command string `xml:"command,attr"`
	ID      string `xml:"id,attr"`
	Params  string `xml:"gateway>xmlparams"`
	Message string `xml:"message"`
	Phone   string `xml:"user>phone"`
	Task    struct {
		Key   string `xml:"key,attr"`
		Phone string `xml:"phone,attr"` // normalised
	} `xml:"task"`
}

func outgoing(source []byte) ([]byte, error) {
	var doc document
	if err := parse(source, &doc); err != nil {
		return nil, err
	}
	g, err := params(doc.Params)
	if err != nil {
		return nil, err
	}
	return send(doc, g)
}

// send hands the message over; the answer when that went well.
func send(doc document, g gateway) ([]byte, error) {
	phone := doc.Task.Phone
	if phone == "" {
		phone = doc.Phone
	}
	if phone == "" {
		return nil, &failure{kind: "never", text: "no phone"}
	}
	body, err := json.Marshal(map[string]string{
		"to": phone, "from": g.Sender, "text": doc.Message, "key": doc.Task.Key,
	})
	if err != nil {
		return nil, &failure{kind: "never", text: err.Error()}
	}
	reply, err := call(g, http.MethodPost, body)
	if err != nil {
		return nil, err
	}
	var taken struct {
		ID interface{} `json:"id"`
	}
	if json.Unmarshal(reply, &taken) != nil || taken.ID == nil {
		return []byte("<doc/>"), nil // taken, without a number
	}
	return []byte("<doc><reference>" + escape(fmt.Sprint(taken.ID)) + "</reference></doc>"), nil
}

func escape(text string) string {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(text))
	return escaped.String()
}

func failed(err error) string {
	f, known := err.(*failure)
	if !known {
		f = &failure{kind: "later", text: err.Error()}
	}
	pause := ""
	if f.pause > 0 {
		pause = fmt.Sprintf(`<retry_after secs="%d"/>`, f.pause)
	}
	return fmt.Sprintf(`<doc><error type="%s"><msg>%s</msg></error>%s</doc>`, f.kind, escape(f.text), pause)
}

// say writes a document behind its length in four bytes.
func say(answer string) {
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(answer)))
	os.Stdout.Write(append(frame, answer...))
}

// deliver answers one message under its number. Here "unknown" has a word of its own.
func deliver(doc document, g gateway) {
	answer, err := send(doc, g)
	if err == errUnknown {
		err = &failure{kind: "unknown", text: err.Error()}
	}
	if err != nil {
		answer = []byte(failed(err))
	}
	say(strings.Replace(string(answer), "<doc", `<doc id="`+doc.ID+`"`, 1))
}

// serve takes many messages, as many at once as the window lets come, until stdin ends.
func serve() {
	var g gateway
	var open sync.WaitGroup
	defer open.Wait()
	stdin := bufio.NewReader(os.Stdin)
	for {
		head := make([]byte, 4)
		if _, err := io.ReadFull(stdin, head); err != nil {
			return
		}
		source := make([]byte, binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(stdin, source); err != nil {
			return // half a document is none
		}
		var doc document
		if err := parse(source, &doc); err != nil {
			return
		}
		switch doc.Command {
		case "configure":
			g, _ = params(doc.Params)
		case "outgoing":
			open.Add(1)
			go func(doc document) {
				defer open.Done()
				deliver(doc, g)
			}(doc)
		default:
			say(`<doc command="ping"/>`)
		}
	}
}

func main() {
	command := "features"
	if len(os.Args) > 1 {
		command = strings.TrimPrefix(os.Args[len(os.Args)-1], "--command=")
	}
	commands := map[string]func([]byte) ([]byte, error){
		"check_connection": checkConnection,
		"outgoing":         outgoing,
	}
	if command == "features" {
		fmt.Println(features)
		return
	}
	if command == "serve" {
		serve()
		return
	}
	run, known := commands[command]
	if !known {
		fmt.Fprintf(os.Stderr, "command %s is not known\n", command)
		os.Exit(64)
	}
	source, err := io.ReadAll(os.Stdin)
	if err != nil {
		os.Exit(75)
	}
	answer, err := run(source)
	switch {
	case err == nil:
		os.Stdout.Write(answer)
	case err == errUnknown && command == "outgoing":
		fmt.Println(err) // plain text and exit 0: perhaps sent, nobody knows
	default:
		fmt.Println(failed(err))
	}
}
