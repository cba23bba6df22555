// A server for the community module, on gorilla/websocket with compression: keeps what it hears in a file, and says it
// back when asked, compressed.
package main

import (
	"encoding/base64"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{
	EnableCompression: true,
	CheckOrigin:       func(*http.Request) bool { return true },
}

func stream(file *os.File) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("extensions", r.Header.Get("Sec-WebSocket-Extensions"))
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			log.Fatal(err)
		}
		defer conn.Close()
		var heard []byte
		for {
			kind, message, err := conn.ReadMessage()
			if err != nil {
				fmt.Println("error", err)
				return
			}
			switch {
			case kind == websocket.BinaryMessage:
				heard = append(heard, message...)
				file.Write(message)
			case string(message) == "play":
				conn.WriteJSON(map[string]interface{}{"type": "streamAudio", "data": map[string]interface{}{
					"audioDataType": "raw", "sampleRate": 8000,
					"audioData": base64.StdEncoding.EncodeToString(heard)}})
			case string(message) == "bye":
				fmt.Println("heard", len(heard))
				goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
				conn.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second))
			default:
				fmt.Println("metadata", string(message))
			}
		}
	}
}

func main() {
	file, err := os.Create(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/stream", stream(file))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
