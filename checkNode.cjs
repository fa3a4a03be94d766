// Loaded before each script that Node runs from TypeScript. Plain JavaScript, so that an old Node can read it: `npm ci`
// installs a new enough one, which npm scripts find first, unless install scripts are off.
if (!process.features.typescript) {
  const fix = 'Run `npm ci` without --ignore-scripts: it installs Node 24 for them.';
  process.stderr.write(`Keyward's npm scripts need Node 24, but this is Node ${process.versions.node}. ${fix}\n`);
  process.exit(1);
}
