/* The camera of the tab "Try it": shows its picture in a dialog and hands one frame to dcc.Upload, as if it were a chosen file.
   dcc.Upload has no camera of its own. The stream stays in the browser, and ends with the dialog. */
(function () {
  "use strict";

  function say(text) {
    window.dash_clientside.set_props("try-camera-note", { children: text });
  }

  function element(name, text) {
    const made = document.createElement(name);
    made.textContent = text;
    if (name === "button") made.className = "plain";
    return made;
  }

  // One frame as a JPEG data URI, in the camera's own size.
  function frameOf(video) {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    return canvas.toDataURL("image/jpeg", 0.92);
  }

  function show(stream) {
    const dialog = element("dialog", ""), video = element("video", "");
    const take = element("button", "Take the photograph"), cancel = element("button", "Cancel");
    dialog.className = "try-camera";
    dialog.setAttribute("aria-label", "Camera");
    video.srcObject = stream;
    video.muted = true;
    video.playsInline = true; // phones would open a player of their own
    dialog.append(video, take, cancel);
    take.onclick = function () {
      if (!video.videoWidth) return; // no frame yet
      window.dash_clientside.set_props("try-upload", { contents: frameOf(video), filename: "camera" });
      dialog.close();
    };
    cancel.onclick = () => dialog.close();
    dialog.onclose = function () { // by a button or by the escape key
      stream.getTracks().forEach((track) => track.stop());
      dialog.remove();
    };
    document.body.append(dialog);
    dialog.showModal();
    video.play();
  }

  document.addEventListener("click", function (event) {
    if (!event.target.closest || !event.target.closest("#try-camera")) return;
    if (!navigator.mediaDevices) return say("This browser offers a camera to pages of this machine (127.0.0.1) only.");
    say("");
    navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } } }).then(show, (error) => say("No camera: " + error.message));
  });
})();
