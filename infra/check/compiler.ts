/**
 * Finds the Bicep compiler. The pinned version comes from NuGet, through the .NET SDK, and is cached in build/, which
 * git ignores. Without the SDK a `bicep` on PATH is used, and then the one that `az bicep install` left.
 */
import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The version that wrote the compiled files of infra/ and test/infra/. Another one may write them differently. */
export const bicepVersion = '0.49.2';

const root = fileURLToPath(new URL('../..', import.meta.url));
const executable = process.platform === 'win32' ? 'bicep.exe' : 'bicep';

export interface Compiler {
  readonly version: string;
  run(...parameters: string[]): Promise<Outcome>;
}

export interface Outcome {
  readonly isSuccess: boolean;
  readonly stdout: string;
  /** Every error and warning of the compiler and its linter, one a line. */
  readonly stderr: string;
}

/** Undefined when this machine has no compiler and no way to get one. */
export const findCompiler = (environment: Readonly<Record<string, string>>): Promise<Compiler | undefined> =>
  firstOf([fromNuGet, async () => 'bicep', fromAzureCli], environment);

/** Undefined when this machine has no compiler: nothing is downloaded. */
export const findInstalled = (environment: Readonly<Record<string, string>>): Promise<Compiler | undefined> =>
  firstOf([fromCache, async () => 'bicep', fromAzureCli], environment);

async function firstOf(
  ways: readonly (() => Promise<string | undefined>)[],
  environment: Readonly<Record<string, string>>,
): Promise<Compiler | undefined> {
  for (const find of ways) {
    const path = await find();
    if (path === undefined) continue;
    const compiler = (...parameters: string[]) => run(path, parameters, environment);
    const { isSuccess, stdout } = await compiler('--version');
    const version = /version (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    if (isSuccess && version !== undefined) return { version, run: compiler };
  }
  return undefined;
}

const os = { linux: 'linux', darwin: 'osx', win32: 'win' }[process.platform as string];
const id = `Azure.Bicep.CommandLine.${os}-${process.arch}`;
const packages = join(root, 'build/bicep/packages');

async function fromCache(): Promise<string | undefined> {
  const path = join(packages, id.toLowerCase(), bicepVersion, 'tools', executable);
  return (await exists(path)) ? path : undefined;
}

/** NuGet has a package for each platform, all with the compiler at the same path. */
async function fromNuGet(): Promise<string | undefined> {
  const cached = await fromCache();
  if (cached !== undefined) return cached;
  const project = join(root, 'infra/check/bicep.csproj');
  const properties = [
    `-p:BicepPackage=${id}`,
    `-p:BicepVersion=${bicepVersion}`,
    `-p:BaseIntermediateOutputPath=${join(root, 'build/bicep/obj/')}`,
  ];
  await run('dotnet', ['restore', project, '--nologo', '--packages', packages, ...properties], {});
  return fromCache();
}

/** https://learn.microsoft.com/cli/azure/azure-cli-configuration: AZURE_CONFIG_DIR moves the folder. */
async function fromAzureCli(): Promise<string | undefined> {
  const path = join(process.env.AZURE_CONFIG_DIR ?? join(homedir(), '.azure'), 'bin', executable);
  return (await exists(path)) ? path : undefined;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

function run(path: string, parameters: string[], environment: Readonly<Record<string, string>>): Promise<Outcome> {
  const options = { cwd: root, env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(path, parameters, options, (error, stdout, stderr) =>
      resolve({ isSuccess: error === null, stdout, stderr }),
    );
  });
}
