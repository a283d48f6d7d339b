// Lets a visitor draw a mask on the photo: white where they painted, black elsewhere. It is handed
// to the mask's upload as if it had been chosen from a disk, so the server needs nothing new.
() => {
    const LONGEST = 1024; // pixels of the mask's longer side; it is stretched over the photo
    const photo = document.querySelector("#photos img");
    if (!photo || !photo.naturalWidth) {
        alert("Give a photo first: the mask is drawn on it.");
        return;
    }
    const shrunk = Math.min(1, LONGEST / Math.max(photo.naturalWidth, photo.naturalHeight));
    const width = Math.max(1, Math.round(photo.naturalWidth * shrunk));
    const height = Math.max(1, Math.round(photo.naturalHeight * shrunk));

    const dialog = document.createElement("dialog");
    dialog.id = "draw_mask";
    dialog.innerHTML = `
        <p>Paint over what is to stay as it is in the photo.</p>
        <div><img alt="the photo"><canvas width="${width}" height="${height}"></canvas></div>
        <form method="dialog">
            <label>Brush <input type="range" min="1" max="25" value="8"></label>
            <label><input type="checkbox"> Erase</label>
            <button value="">Cancel</button>
            <button value="keep">Keep this</button>
        </form>`;
    dialog.querySelector("img").src = photo.src;
    const canvas = dialog.querySelector("canvas");
    const [size, erase] = dialog.querySelectorAll("input");
    const brush = canvas.getContext("2d");
    brush.lineCap = brush.lineJoin = "round";
    let isDrawn = false;

    const place = event => [
        event.offsetX * width / canvas.clientWidth,
        event.offsetY * height / canvas.clientHeight,
    ];
    canvas.onpointerdown = event => {
        canvas.setPointerCapture(event.pointerId);
        brush.lineWidth = size.value / 100 * Math.min(width, height);
        brush.strokeStyle = "crimson";
        brush.globalCompositeOperation = erase.checked ? "destination-out" : "source-over";
        brush.beginPath();
        brush.moveTo(...place(event));
        canvas.onpointermove(event); // a click alone leaves a dot
    };
    canvas.onpointermove = event => {
        if (!canvas.hasPointerCapture(event.pointerId)) return;
        brush.lineTo(...place(event));
        brush.stroke();
        isDrawn = true;
    };

    const fill = (colour, where) => {
        brush.globalCompositeOperation = where;
        brush.fillStyle = colour;
        brush.fillRect(0, 0, width, height);
    };
    const upload = mask => {
        const input = document.querySelector("#keep_mask input[type=file]");
        if (!input) { // another mask is there
            document.querySelector("#keep_mask button[aria-label=Clear]").click();
            setTimeout(upload, 50, mask);
            return;
        }
        const files = new DataTransfer();
        files.items.add(new File([mask], "drawn_mask.png", {type: "image/png"}));
        input.files = files.files;
        input.dispatchEvent(new Event("change", {bubbles: true}));
    };
    dialog.onclose = () => {
        dialog.remove();
        if (!dialog.returnValue || !isDrawn) return;
        fill("white", "source-in"); // what is painted over
        fill("black", "destination-over"); // behind it
        canvas.toBlob(upload);
    };
    document.body.append(dialog);
    dialog.showModal();
}
