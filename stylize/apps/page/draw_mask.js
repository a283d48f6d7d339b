// Lets a visitor draw a mask on the photo: white where they brushed, black elsewhere, with soft
// edges (hard ones in browsers whose canvas cannot blur). It is handed to the mask's upload as if it
// had been chosen from a disk, so the server needs nothing new.
() => {
    const LONGEST = 1024; // pixels of the mask's longer side; it is stretched over the photo
    const SOFT = 0.004; // of it: how far edges fade
    const MOST_UNDONE = 10; // strokes
    const DOUBLE_CLICK = 250; // ms; what opens or closes the dialog waits, or the second click
    // would act on what is there by then
    const NAME = "drawn_mask.png";
    if (document.querySelector("#draw_mask")) return; // the second click of two
    const photos = document.querySelectorAll("#photos .thumbnail-lg img");
    const [photo] = photos;
    if (!photo) {
        const clip = document.querySelector("#photos video");
        alert(clip ? "A mask is drawn on a photo. For a clip, upload one."
            : "Choose a photo first; the mask is drawn on it.");
        return;
    }
    if (!photo.naturalWidth) {
        alert("The photo is not shown yet. Try again in a moment.");
        return;
    }
    const shrunk = Math.min(1, LONGEST / Math.max(photo.naturalWidth, photo.naturalHeight));
    const width = Math.max(1, Math.round(photo.naturalWidth * shrunk));
    const height = Math.max(1, Math.round(photo.naturalHeight * shrunk));
    const inUse = document.querySelector("#keep_mask img");
    const kept = window.drawnMask;
    // A drawn mask that is in use can be corrected.
    const isDrawn = inUse?.src.endsWith(NAME) && kept?.photo === photo.src;
    const where = photos.length > 1 ? " The same place is kept in each photo." : "";
    const instead = inUse && !isDrawn
        ? " What you draw takes the place of the mask that is in use." : "";

    const dialog = document.createElement("dialog");
    dialog.id = "draw_mask";
    dialog.innerHTML = `
        <p>Brush over the parts of the photo to keep.${where}${instead}</p>
        <div><img alt="the photo"><canvas width="${width}" height="${height}"></canvas></div>
        <form method="dialog">
            <label>Brush <input type="range" min="1" max="25" value="8"></label>
            <label><input type="checkbox"> Erase</label>
            <button type="button">Undo</button>
            <button type="button">Clear</button>
            <button type="button">Download</button>
            <button type="button">Cancel</button>
            <button value="use" class="primary">Use this mask</button>
        </form>`;
    dialog.querySelector("img").src = photo.src;
    const canvas = dialog.querySelector("canvas");
    const [size, erase] = dialog.querySelectorAll("input");
    const [undo, clear, download, cancel] = dialog.querySelectorAll("button[type=button]");
    const brush = canvas.getContext("2d", {willReadFrequently: true});
    brush.lineCap = brush.lineJoin = "round";
    if (isDrawn) brush.putImageData(kept.strokes, 0, 0);

    const strokes = () => brush.getImageData(0, 0, width, height);
    const before = []; // each of the last strokes
    const remember = () => {
        before.push(strokes());
        if (before.length > MOST_UNDONE) before.shift();
    };
    undo.onclick = () => before.length && brush.putImageData(before.pop(), 0, 0);
    clear.onclick = () => {
        remember();
        erase.checked = false;
        brush.clearRect(0, 0, width, height);
    };

    let last; // where the stroke is
    const strokeTo = (x, y) => {
        brush.beginPath();
        brush.moveTo(...last);
        brush.lineTo(x, y);
        brush.stroke();
        last = [x, y];
    };
    const place = event => [
        event.offsetX * width / canvas.clientWidth,
        event.offsetY * height / canvas.clientHeight,
    ];
    canvas.onpointerdown = event => {
        if (!event.isPrimary || event.button) return;
        remember();
        canvas.setPointerCapture(event.pointerId);
        brush.lineWidth = size.value / 100 * Math.min(width, height);
        brush.strokeStyle = "magenta"; // rare in photos
        brush.globalCompositeOperation = erase.checked ? "destination-out" : "source-over";
        const [x, y] = last = place(event);
        strokeTo(x + 0.01, y); // a click leaves a dot; a line without any length leaves nothing
    };
    canvas.onpointermove = event => {
        if (canvas.hasPointerCapture(event.pointerId)) strokeTo(...place(event));
    };

    const mask = () => {
        const fade = SOFT * Math.max(width, height), rim = Math.ceil(3 * fade);
        const wide = width + 2 * rim, high = height + 2 * rim;
        // The border's pixels again around it, so that it fades only where the drawing ends.
        const white = new OffscreenCanvas(wide, high).getContext("2d");
        white.drawImage(canvas, rim, rim);
        white.drawImage(canvas, 0, 0, 1, height, 0, rim, rim, height);
        white.drawImage(canvas, width - 1, 0, 1, height, rim + width, rim, rim, height);
        white.drawImage(white.canvas, 0, rim, wide, 1, 0, 0, wide, rim);
        white.drawImage(white.canvas, 0, rim + height - 1, wide, 1, 0, rim + height, wide, rim);
        white.globalCompositeOperation = "source-in";
        white.fillStyle = "white";
        white.fillRect(0, 0, wide, high);
        const result = new OffscreenCanvas(width, height).getContext("2d");
        result.fillRect(0, 0, width, height); // black
        result.filter = `blur(${fade}px)`;
        result.drawImage(white.canvas, -rim, -rim);
        return result.canvas.convertToBlob();
    };
    download.onclick = async () => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(await mask());
        link.download = NAME;
        link.click();
        URL.revokeObjectURL(link.href);
    };
    const upload = (blob, tries) => {
        const input = document.querySelector("#keep_mask input[type=file]");
        if (document.querySelector("#keep_mask img") || !input) { // not removed yet
            if (tries) setTimeout(upload, 50, blob, tries - 1);
            else alert("The mask could not be used. Draw it again, download it and upload it.");
            return;
        }
        const files = new DataTransfer();
        files.items.add(new File([blob], NAME, {type: "image/png"}));
        input.files = files.files;
        input.dispatchEvent(new Event("change", {bubbles: true}));
    };
    const close = answer => setTimeout(() => dialog.close(answer), DOUBLE_CLICK);
    const isEmpty = () => !strokes().data.some(value => value);
    cancel.onclick = () => close();
    dialog.querySelector("form").onsubmit = event => {
        event.preventDefault();
        if (isEmpty() && !isDrawn) alert("Nothing is drawn yet. Brush over the parts to keep.");
        else close("use");
    };
    dialog.oncancel = event => { // Esc
        if (before.length && !confirm("Discard what you have drawn?")) event.preventDefault();
    };
    dialog.onclose = async () => {
        dialog.remove();
        if (!dialog.returnValue) return;
        window.drawnMask = {photo: photo.src, strokes: strokes()};
        // Only if one is there: else the answer might come after the new mask, and remove that.
        if (document.querySelector("#keep_mask img")) {
            document.querySelector("#remove_mask").click();
        }
        if (!isEmpty()) upload(await mask(), 100);
    };
    document.body.append(dialog);
    setTimeout(() => dialog.showModal(), DOUBLE_CLICK);
}
