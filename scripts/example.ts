import * as gapcam from "../mod.ts";

const imageSize = 32, batchSize = 32, epochs = 8, learningRate = 0.01;
const config = gapcam.trainingConfig({
  imageSize,
  batchSize,
  epochs,
  learningRate,
  schedule: "one-cycle",
});
const trunk = [16, "M", 32, "M", 64, 64] as const;
const model = gapcam.vgg(trunk, { classes: 10, batchNorm: true });
const shapes = gapcam.shapesDataset("train", { size: imageSize });

using device = gapcam.openDevice("auto");
using network = new gapcam.Network(device, model);
const { lastEpoch } = await gapcam.train(network, shapes, { config });
console.log("accuracy on the training images:", lastEpoch?.accuracy);

const data = new Uint8Array(imageSize * imageSize * 3);
await gapcam.shapesDataset("test", { size: imageSize }).read([3], data);
using explainer = await gapcam.Explainer.create(network, {
  batchSize: 1,
  image: shapes,
});
const [cam] = await explainer.explain(data);
const { predicted, probability, proof } = cam!;
console.log(
  shapes.classes[predicted],
  probability,
  "proved to",
  proof.residual,
);

const { classes } = shapes;
const image = {
  width: imageSize,
  height: imageSize,
  channels: 3,
  data,
} as const;
const figure = gapcam.camFigure(image, cam!, { classes, name: "image 3" });
await Deno.writeFile("cam.png", gapcam.encodePng(figure));
