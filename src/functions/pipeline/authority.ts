/** Where users and applications of the operator's tenant sign in. */
import { signInHosts } from '../../core/customerKey/signInHosts.ts';

const hosts: Readonly<Record<string, string>> = signInHosts;

/** `https://login.microsoftonline.com/<tenant>`. A wrong KEYWARD_CLOUD counts as `public`: the settings report it. */
export const authorityOf = ({ KEYWARD_CLOUD: cloud = 'public' }: NodeJS.ProcessEnv, tenant: string): string =>
  `${hosts[cloud] ?? signInHosts.public}/${tenant}`;
