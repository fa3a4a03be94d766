// Loaded before each script that Node runs from TypeScript. Plain JavaScript, so that an old Node can read it: `npm ci`
// installs a new enough one, which npm scripts find first, unless install scripts are off.
if (!process.features.typescript) {
  console.error(
    `Keyward's npm scripts need Node 24, but this is Node ${process.versions.node}. Run \`npm ci\` without --ignore-scripts: it installs Node 24 for them.`,
  );
  process.exit(1);
}
