// Lets a visitor draw a mask on the photo: white where they painted, black elsewhere, with soft
// edges. It is handed to the mask's upload as if it had been chosen from a disk, so the server needs
// nothing new.
() => {
    const LONGEST = 1024; // pixels of the mask's longer side; it is stretched over the photo
    const SOFT = 0.004; // of it: how far edges fade
    const MOST_UNDONE = 10; // strokes
    const NAME = "drawn_mask.png";
    const photos = document.querySelectorAll("#photos .thumbnail-lg img");
    const photo = photos[0] || document.querySelector("#photos img");
    if (!photo || !photo.naturalWidth) {
        alert("Choose a photo first; the mask is drawn on it.");
        return;
    }
    const shrunk = Math.min(1, LONGEST / Math.max(photo.naturalWidth, photo.naturalHeight));
    const width = Math.max(1, Math.round(photo.naturalWidth * shrunk));
    const height = Math.max(1, Math.round(photo.naturalHeight * shrunk));
    const where = photos.length > 1 ? " The same place is kept in each photo." : "";

    const dialog = document.createElement("dialog");
    dialog.id = "draw_mask";
    dialog.innerHTML = `
        <p>Brush over the parts of the photo to keep.${where}</p>
        <div><img alt="the photo"><canvas width="${width}" height="${height}"></canvas></div>
        <form method="dialog">
            <label>Brush <input type="range" min="1" max="25" value="8"></label>
            <label><input type="checkbox"> Erase</label>
            <button type="button">Undo</button>
            <button type="button">Clear</button>
            <button type="button">Download</button>
            <button value="">Cancel</button>
            <button value="keep" class="primary">Use this mask</button>
        </form>`;
    dialog.querySelector("img").src = photo.src;
    const canvas = dialog.querySelector("canvas");
    const [size, erase] = dialog.querySelectorAll("input");
    const [undo, clear, download] = dialog.querySelectorAll("button[type=button]");
    const brush = canvas.getContext("2d", {willReadFrequently: true});
    brush.lineCap = brush.lineJoin = "round";
    // What was kept for this photo can be corrected.
    const kept = window.keptMask?.photo === photo.src ? window.keptMask.strokes : null;
    if (kept) brush.putImageData(kept, 0, 0);

    const strokes = () => brush.getImageData(0, 0, width, height);
    const before = []; // each of the last strokes
    const remember = () => {
        before.push(strokes());
        if (before.length > MOST_UNDONE) before.shift();
    };
    undo.onclick = () => before.length && brush.putImageData(before.pop(), 0, 0);
    clear.onclick = () => {
        remember();
        brush.clearRect(0, 0, width, height);
    };

    const place = event => [
        event.offsetX * width / canvas.clientWidth,
        event.offsetY * height / canvas.clientHeight,
    ];
    canvas.onpointerdown = event => {
        remember();
        canvas.setPointerCapture(event.pointerId);
        brush.lineWidth = size.value / 100 * Math.min(width, height);
        brush.strokeStyle = "magenta"; // rare in photos
        brush.globalCompositeOperation = erase.checked ? "destination-out" : "source-over";
        brush.beginPath();
        brush.moveTo(...place(event));
        canvas.onpointermove(event); // a click alone leaves a dot
    };
    canvas.onpointermove = event => {
        if (!canvas.hasPointerCapture(event.pointerId)) return;
        brush.lineTo(...place(event));
        brush.stroke();
    };

    const mask = () => {
        const white = new OffscreenCanvas(width, height).getContext("2d");
        white.drawImage(canvas, 0, 0);
        white.globalCompositeOperation = "source-in";
        white.fillStyle = "white";
        white.fillRect(0, 0, width, height);
        const result = new OffscreenCanvas(width, height).getContext("2d");
        result.fillRect(0, 0, width, height); // black
        result.filter = `blur(${SOFT * Math.max(width, height)}px)`;
        result.drawImage(white.canvas, 0, 0);
        return result.canvas.convertToBlob();
    };
    download.onclick = async () => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(await mask());
        link.download = NAME;
        link.click();
        URL.revokeObjectURL(link.href);
    };
    const remove = () => document.querySelector("#keep_mask button[aria-label=Clear]")?.click();
    const upload = blob => {
        const input = document.querySelector("#keep_mask input[type=file]");
        if (!input) { // another mask is there
            remove();
            setTimeout(upload, 50, blob);
            return;
        }
        const files = new DataTransfer();
        files.items.add(new File([blob], NAME, {type: "image/png"}));
        input.files = files.files;
        input.dispatchEvent(new Event("change", {bubbles: true}));
    };
    dialog.onclose = async () => {
        dialog.remove();
        if (!dialog.returnValue) return;
        window.keptMask = {photo: photo.src, strokes: strokes()};
        if (window.keptMask.strokes.data.some(value => value)) upload(await mask());
        else remove();
    };
    document.body.append(dialog);
    dialog.showModal();
}
