/** The notes of a release: the "Deploy to Azure" button of this tag, how to check the package, and the changes. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Release {
  /** `owner/name` at GitHub. */
  readonly repository: string;
  readonly tag: string;
  readonly sha256: string;
  readonly changelog: string;
}

export function releaseNotes({ repository, tag, sha256, changelog }: Release): string {
  const template = (path: string) => `https://raw.githubusercontent.com/${repository}/${tag}/infra/${path}`;
  const button = (path: string) =>
    `https://portal.azure.com/#create/Microsoft.Template/uri/${encodeURIComponent(template(path))}`;
  return `[![Deploy to Azure](https://aka.ms/deploytoazurebutton)](${button('main.json')})

Set \`packageUri\` to \`https://github.com/${repository}/releases/download/${tag}/keyward.zip\` to deploy the code with the
resources. Then deploy [the event subscriptions](${button('events.json')}). Everything else is in
[docs/deploy.md](https://github.com/${repository}/blob/${tag}/docs/deploy.md).

The SHA-256 of keyward.zip is \`${sha256}\`. Check where it was built:

\`\`\`sh
gh attestation verify keyward.zip --repo ${repository}
\`\`\`

${changesOf(tag, changelog)}`;
}

/** The section of the tag's version, or of what is unreleased while the changelog has none for it. */
function changesOf(tag: string, changelog: string): string {
  const sections = changelog.split(/^(?=## )/m).slice(1);
  const named = (title: string) => sections.find((section) => section.startsWith(title));
  return named(`## ${tag.replace(/^v/, '')}`) ?? named('## Unreleased') ?? '';
}

if (import.meta.main) {
  const { REPOSITORY: repository = '', TAG: tag = '' } = process.env;
  const zip = await readFile(`${root}build/keyward.zip`);
  const sha256 = createHash('sha256').update(zip).digest('hex');
  process.stdout.write(
    releaseNotes({ repository, tag, sha256, changelog: await readFile(`${root}CHANGELOG.md`, 'utf8') }),
  );
}
