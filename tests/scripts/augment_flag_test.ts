import { assertEquals, assertThrows } from "@std/assert";
import { GapcamError, readCheckpoint } from "../../mod.ts";
import { parseAugment } from "../../scripts/_augment_flag.ts";
import { runCommand, SMALL, trainSmall, withFolder } from "./_run_command.ts";

Deno.test("parseAugment() reads names, and numbers where they have one", () => {
  assertEquals(parseAugment(undefined), {});
  assertEquals(parseAugment("none"), {
    flip: false,
    crop: 0,
    augmentation: {},
  });
  assertEquals(parseAugment("flip, crop"), {
    flip: true,
    crop: 4,
    augmentation: {},
  });
  assertEquals(
    parseAugment("alternating-flip,crop=2,reflect,rotate=30,erase,jitter=0.2"),
    {
      flip: "alternating",
      crop: 2,
      augmentation: {
        padding: "reflect",
        rotate: 30,
        erase: 0.25,
        brightness: 0.2,
        contrast: 0.2,
        saturation: 0.2,
      },
    },
  );
  for (
    const part of ["spin", "flip=1", "crop=1.5", "rotate=-3", "rotate=", ""]
  ) {
    assertThrows(
      () => parseAugment(part),
      GapcamError,
      `Cannot augment by ${JSON.stringify(part)}: expected flip, `,
    );
  }
});

Deno.test("train --augment keeps what it was told, and resumes to the bytes of an uncut run", () =>
  withFolder(async (folder) => {
    const augment = "--augment=resized-crop,alternating-flip,trivial,hue,erase";
    const balance = "--balance";
    const whole = await trainSmall(
      `${folder}/whole`,
      augment,
      balance,
      "--epochs=2",
      "--schedule=constant",
    );
    const cut = await trainSmall(
      `${folder}/cut`,
      augment,
      balance,
      "--schedule=constant",
    );
    const resumed = await runCommand("train", [
      `--resume=${cut}`,
      "--epochs=2",
      "--device=cpu",
    ]);
    assertEquals(resumed.code, 0, resumed.stderr);
    assertEquals(
      await Deno.readFile(`${cut}/checkpoint.safetensors`),
      await Deno.readFile(`${whole}/checkpoint.safetensors`),
    );
    const { training } = await readCheckpoint(
      `${whole}/checkpoint.safetensors`,
    );
    assertEquals(training.balance, true);
    assertEquals([training.flip, training.augmentation], ["alternating", {
      resizedCrop: 0.35,
      trivialAugment: true,
      hue: 0.1,
      erase: 0.25,
    }]);
    const refused = await runCommand("train", [
      ...SMALL,
      "--augment=hue=0.7",
      `--out=${folder}/none`,
    ]);
    assertEquals(
      refused.stderr,
      "error: Cannot augment with hue 0.7: expected a number from 0 to 0.5\n",
    );
  }));
