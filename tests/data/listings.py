"""The same four images with the same captions, listed in every form."""

import json

CAPTIONS = {"a.png": ("a red bird",), "b.png": ("a blue bird, small", "a bird"), "c.png": ("grün",), "d.png": ("새",)}


def table(separator, header=("file", "caption")):
    rows = [header, *((name, text) for name, texts in CAPTIONS.items() for text in texts)]
    return "\n".join(separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in rows)


def coco():
    images = [{"id": i, "file_name": name} for i, name in enumerate(CAPTIONS)]
    annotations = [{"image_id": i, "caption": text} for i, name in enumerate(CAPTIONS) for text in CAPTIONS[name]]
    return json.dumps({"images": images, "annotations": annotations})


def karpathy():
    images = [
        {"filename": name, "split": "train", "sentences": [{"raw": text} for text in texts]}
        for name, texts in CAPTIONS.items()
    ]
    return json.dumps({"images": images})


FORMS = {
    "captions.csv": table(","),
    "captions.csv ;": ("captions.csv", "\ufeff" + table(";", ("Image", "Caption"))),
    "captions.csv sep": ("captions.csv", "sep=|\n" + table("|")),
    "captions.tsv": table("\t", ("IMAGE_FILE", "Text")),
    "captions.txt": table(",", ("image", "caption")),
    "captions.txt CRLF and blanks": ("captions.txt", "\n" + table(",").replace("\n", "\r\n\r\n") + "\r\n,\r\n"),
    "metadata.csv": table(",", ("file_name", "text")),
    "pandas' index": ("captions.csv", "\n".join(f"{i or ''},{row}" for i, row in enumerate(table(",").split("\n")))),
    "results.csv": "\n".join(
        ["image_name| comment_number| comment", *(f"{n}| 0| {t}" for n, ts in CAPTIONS.items() for t in ts)]
    ),
    "metadata.jsonl": "\n".join(json.dumps({"file_name": n, "text": t}) for n, ts in CAPTIONS.items() for t in ts),
    "captions.jsonl": "\n".join(json.dumps({"file": n, "captions": ts}) for n, ts in CAPTIONS.items()),
    "captions.json": json.dumps(CAPTIONS, ensure_ascii=False),
    "captions.json list": ("captions.json", json.dumps([{"image": n, "caption": ts} for n, ts in CAPTIONS.items()])),
    "annotations/captions_train2017.json": coco(),
    "dataset_coco.json": karpathy(),
    "Flickr8k.token.txt": "\n".join(f"{n}#{i}\t{t}" for n, ts in CAPTIONS.items() for i, t in enumerate(ts)),
    "captions.csv numbered": (
        "captions.csv",
        'file,caption_1,caption 2\na.png,a red bird,\nb.png,"a blue bird, small",a bird\nc.png,grün,\nd.png,새,\n',
    ),
}
