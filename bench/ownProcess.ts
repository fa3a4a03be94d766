/**
 * One bench file in a process of its own: the parent forks this file with the bench's address and receives its figures
 * over IPC. A child whose parent ends, ends too.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Bench, type Figure, judged, type Report } from './report.ts';

type Said = { readonly figure: Figure } | { readonly progress: string };

export interface Listener {
  figure(figure: Figure): void;
  progress(text: string): void;
}

/** Rejects when the bench fails. */
export async function runInOwnProcess(file: URL, { figure, progress }: Listener): Promise<void> {
  // Text for people goes to standard error: standard output is for figures.
  const child = fork(fileURLToPath(import.meta.url), [file.href], { stdio: ['ignore', 2, 2, 'ipc'] });
  child.on('message', (said: Said) => ('figure' in said ? figure(said.figure) : progress(said.progress)));
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`${file.pathname.split('/').slice(-2).join('/')} ended with ${code ?? signal}`);
}

function reportTo(send: (said: Said) => void): Report {
  return {
    figure: (...figure) => send({ figure: judged(...figure) }),
    progress: (text) => send({ progress: text }),
    inOwnProcess: (file) =>
      runInOwnProcess(file, { figure: (figure) => send({ figure }), progress: (text) => send({ progress: text }) }),
  };
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once('disconnect', () => process.exit(1));
  const { default: bench } = (await import(process.argv[2] ?? '')) as { default: Bench };
  await bench(reportTo((said) => process.send?.(said)));
  process.disconnect();
  process.exit(0);
}
